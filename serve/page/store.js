// What the page keeps: the conversation in this tab (over a reload), earlier questions in this browser.
const CARDS = 20,
  QUESTIONS = 50;

function read(storage, name, otherwise) {
  try {
    return JSON.parse(storage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // storage is blocked, or holds something else
  }
}

function write(storage, name, value) {
  try {
    storage.setItem(name, JSON.stringify(value));
  } catch {
    // storage is blocked or full: the page works without
  }
}

/** { id, cards } with the newest card first. */
export const conversation = () => read(sessionStorage, "conversation", { id: null, cards: [] });
export const keepConversation = (id, cards) =>
  write(sessionStorage, "conversation", { id, cards: cards.slice(0, CARDS) });

/** Earlier questions, the newest first. */
export const questions = () => read(localStorage, "questions", []);
export const keepQuestion = (question) =>
  write(localStorage, "questions", [question, ...questions().filter((q) => q !== question)].slice(0, QUESTIONS));
export const forgetQuestions = () => write(localStorage, "questions", []);

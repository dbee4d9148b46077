"""The plain sentence of every construct of the query language: true, complete and readable, and accepted by the
verifier. Each sentence of CASES was checked by eye against the table of its line."""

import functools
import random
from itertools import product

import pytest

from agents.verifier import missing
from data.ask import resolver
from data.dataset.binding import Binder
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.query import QueryError, Statistics, parse
from data.query.language import DIMENSIONS, FILTERS, MEASURES
from data.query.query import Filter, Query
from data.query.random_lines import random_query
from data.season import load
from data.wording.circumstances import circumstance_phrases, stated_phrases, subject
from data.wording.sentence import sentence, wordings
from data.wording.sheet import fill, sheet

# season: line, and indented below it the sentence
CASES = """
ipl_2024: sixes/matches | batter=Klaasen
    Klaasen hit 2.38 sixes a match (38 sixes, 16 matches).
ipl_2024: runs%team | batter=Kohli
    Kohli scored 25.29 % of the team's runs with extras (741 of 2930).
ipl_2024: sixes%all by team | top 2
    Highest share of all sixes in per cent: Sunrisers Hyderabad 14.13; Royal Challengers Bengaluru 13.10.
ipl_2024: boundary_runs%runs | batter=Narine
    Runs in boundaries were 81.56 % of Narine's runs (398 runs in boundaries, 488 runs).
ipl_2024: wins%matches | total>=200
    Wins were 65.85 % of all matches with a total of at least 200 (27 wins, 41 matches).
ipl_2024: sixes by batter | place Kohli
    Virat Kohli was 2nd of 170 by sixes (38 sixes), level with one other.
ipl_2024: runs by batter | top nth 2
    Second most runs: Ruturaj Gaikwad, 583 off 413 balls in 14 innings.
ipl_2024: wickets by bowler | reach 10 | first 1
    First to 10 wickets: Yuzvendra Chahal in 5 innings, v Gujarat Titans, 10 April 2024 (ball 15.3, 10 wickets
    then).
ipl_2024: runs | batter=Kohli | reach 500
    Kohli got to 500 runs in 10 innings, v Gujarat Titans, 28 April 2024 (ball 15.1, 500 runs then).
ipl_2024: awards by player | reach 2 | first 2
    First to 2 player-of-the-match awards: Mayank Yadav v Royal Challengers Bengaluru, 2 April 2024 (2
    player-of-the-match awards then); Sunil Narine v Delhi Capitals, 3 April 2024 (2 player-of-the-match awards
    then).
ipl_2024: wins by team | reach 5 | first 1
    First to 5 wins: Rajasthan Royals in 6 matches, v Punjab Kings, 13 April 2024 (5 wins then).
ipl_2024: streak by batter | each runs>=50 | top 1
    Longest: Ruturaj Gaikwad, 3 innings in a row with at least 50 runs (first v Lucknow Super Giants, 23 April
    2024; last v Punjab Kings, 1 May 2024).
ipl_2024: streak, current_streak | team=RCB | each wins=1
    RCB's longest run was 6 matches in a row won (first v Sunrisers Hyderabad, 25 April 2024; last v Chennai
    Super Kings, 18 May 2024); the current run is 0.
ipl_2024: current_streak | team=RCB | each wins=1
    RCB's current run is 0 matches in a row won.
ipl_2024: streak by team | each wins=1 | first 2
    First runs of matches in a row won: Chennai Super Kings 2 (first v Royal Challengers Bengaluru, 22 March
    2024; last v Gujarat Titans, 26 March 2024); Punjab Kings 1 (v Delhi Capitals, 23 March 2024).
ipl_2024: streak by batter | each ducks=1 | having streak>=2
    Runs of innings in a row out for a duck with a streak of at least 2: Mitchell Starc 2 (first v Chennai Super
    Kings, 8 April 2024; last v Mumbai Indians, 3 May 2024); Shivam Dube 2 (first v Punjab Kings, 1 May 2024;
    last v Punjab Kings, 5 May 2024); Travis Head 2 (first v Punjab Kings, 19 May 2024; last v Kolkata Knight
    Riders, 21 May 2024).
ipl_2024: six_hit | first 1
    Virat Kohli hit the first six, off Maheesh Theekshana, ball 9.2 of innings 1, Royal Challengers Bengaluru v
    Chennai Super Kings, 22 March 2024, MA Chidambaram Stadium.
ipl_2024: wicket_fall | stage=final | first 1
    The first wicket in the final was Abhishek Sharma (bowled), bowler Mitchell Starc, score 2/1, ball 0.5 of
    innings 1, Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium.
ipl_2024: winning_hit | stage=final
    Winning hit in the final: Venkatesh Iyer off Shahbaz Ahmed, 1 run, ball 10.3 of innings 2, Sunrisers
    Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium.
ipl_2024: ball_bowled | bowler=Bumrah | first 1
    First ball of Bumrah: Jasprit Bumrah to Wriddhiman Saha, 0 runs, ball 3.1 of innings 1, Gujarat Titans v
    Mumbai Indians, 24 March 2024, Narendra Modi Stadium.
ipl_2024: fifty_made | first 1
    Sam Curran made the first fifty, off Axar Patel, ball 15.4 of innings 2, Delhi Capitals v Punjab Kings, 23
    March 2024, Maharaja Yadavindra Singh International Cricket Stadium.
ipl_2024: over_runs | top 1
    Most runs in an over: Anrich Nortje 32 runs, to Romario Shepherd, over 20 of innings 1, Mumbai Indians v
    Delhi Capitals, 7 April 2024, Wankhede Stadium.
ipl_2024: over_runs | team=RCB opponent=CSK innings=2 | last 1
    Last over for RCB bowling second against CSK: Yash Dayal 7 runs, to MS Dhoni, Shardul Thakur and Ravindra
    Jadeja, over 20 of innings 2, Royal Challengers Bengaluru v Chennai Super Kings, 18 May 2024, M Chinnaswamy
    Stadium.
ipl_2024: over_runs by bowler | top 2
    Most runs in an over: Anrich Nortje 32 (v Mumbai Indians, 7 April 2024, innings 1, over 20); Mohit Sharma 31
    (v Delhi Capitals, 24 April 2024, innings 1, over 20).
ipl_2024: over_batter_runs | top 1
    Most runs of one batter in an over: Romario Shepherd 32 runs, off Anrich Nortje, over 20 of innings 1,
    Mumbai Indians v Delhi Capitals, 7 April 2024, Wankhede Stadium.
ipl_2024: over_sixes by batter | top 1
    Most sixes of one batter in an over: Rajat Patidar 4 (v Sunrisers Hyderabad, 25 April 2024, innings 1, over
    11); Rishabh Pant 4 (v Gujarat Titans, 24 April 2024, innings 1, over 20); Romario Shepherd 4 (v Delhi
    Capitals, 7 April 2024, innings 1, over 20); Will Jacks 4 (v Gujarat Titans, 28 April 2024, innings 2, over
    16).
ipl_2024: overs by bowler | each over_wickets>=3 | top 1
    Most overs with at least 3 wickets, level: Gerald Coetzee 1; Harshal Patel 1; Mitchell Starc 1; Sandeep
    Sharma 1; T Natarajan 1.
ipl_2024: overs | each over_runs>=20
    There were 124 overs with at least 20 runs.
ipl_2024: count by batter | having runs>=400
    There were 18 batters with at least 400 runs: Virat Kohli, Ruturaj Gaikwad, Riyan Parag, Travis Head, Sanju
    Samson, Sai Sudharsan, KL Rahul, Nicholas Pooran, Sunil Narine, Abhishek Sharma, Heinrich Klaasen, Rishabh
    Pant, Faf du Plessis, Phil Salt, Yashasvi Jaiswal, Shubman Gill, Rohit Sharma, Tilak Varma.
ipl_2024: count by batter | having runs>=600
    There was 1 batter with at least 600 runs: Virat Kohli.
ipl_2024: count by city
    There were 13 cities: Chennai, Ahmedabad, Bengaluru, Kolkata, Lucknow, Mumbai, Hyderabad, Delhi, Jaipur,
    Mohali, Dharamsala, Visakhapatnam, Guwahati.
ipl_2024: dot_streak by bowler | top 1
    Most dot balls in a row: Bhuvneshwar Kumar, 11, to Rohit Sharma, Naman Dhir, Tilak Varma and Suryakumar
    Yadav, v Mumbai Indians, 6 May 2024.
ipl_2024: six_streak | top 1
    Most sixes in a row: Rajat Patidar, 4, off Mayank Markande, v Sunrisers Hyderabad, 25 April 2024.
ipl_2024: dot_streak | batter=Kohli
    Kohli had 5 dot balls in a row, off Noor Ahmad, v Gujarat Titans, 4 May 2024.
ipl_2024: four_streak | batter=Kohli
    Kohli had 3 fours in a row, off Sam Curran, v Punjab Kings, 25 March 2024.
ipl_2024: bowling_style | player=Bumrah
    Jasprit Bumrah bowls right arm fast.
ipl_2024: born, country | player=Bumrah,Kohli
    Jasprit Bumrah: born 6 December 1993, country India; Virat Kohli: born 5 November 1988, country India.
ipl_2024: eleven | team=KKR stage=final
    Played for KKR in the final: Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024: Andre
    Russell, Harshit Rana, Mitchell Starc, Rahmanullah Gurbaz, Ramandeep Singh, Rinku Singh, Shreyas Iyer, Sunil
    Narine, Vaibhav Arora, Varun Chakravarthy, Venkatesh Iyer.
ipl_2024: squad | team=KKR
    Matches for KKR: Andre Russell 14; Ramandeep Singh 14; Rinku Singh 14; Shreyas Iyer 14; Sunil Narine 14;
    Varun Chakravarthy 14; Venkatesh Iyer 14; Mitchell Starc 13; Harshit Rana 12; Phil Salt 12; Angkrish
    Raghuvanshi 10; Vaibhav Arora 10; Anukul Roy 3; Nitish Rana 2; Rahmanullah Gurbaz 2; Suyash Sharma 2;
    Dushmantha Chameera 1; Manish Pandey 1.
ipl_2024: sides | player=Rahul
    KL Rahul played for Lucknow Super Giants.
ipl_2024: home_ground | team=KKR
    KKR played most at home at Eden Gardens: 7 matches.
ipl: umpires, tv_umpire, referee | stage=final season=2016
    In the final in IPL 2016: Royal Challengers Bengaluru v Sunrisers Hyderabad (final), 29 May 2016, M
    Chinnaswamy Stadium: umpires HDPK Dharmasena and BNJ Oxenford, television umpire AK Chaudhary, match referee
    RS Madugalle.
ipl: city, super_over | stage=final
    Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium: city Chennai,
    super over no.
ipl: titles | team=MI season=all
    MI won 5 titles across all IPL seasons.
ipl: titles by team | season=all | top 2
    Most titles across all IPL seasons, level: Chennai Super Kings 5; Mumbai Indians 5.
ipl: runs by season | batter=Kohli
    Runs for Kohli: 165 in IPL 2008; 246 in IPL 2009; 307 in IPL 2010; 557 in IPL 2011; 364 in IPL 2012; 634 in
    IPL 2013; 359 in IPL 2014; 505 in IPL 2015; 973 in IPL 2016; 308 in IPL 2017; 530 in IPL 2018; 464 in IPL
    2019; 466 in IPL 2020; 405 in IPL 2021; 341 in IPL 2022; 639 in IPL 2023; 741 in IPL 2024; 8004 in all.
ipl: runs by season | batter=Kohli season=all | top 1
    Most runs for Kohli across all IPL seasons: IPL 2016, 973 off 640 balls in 16 innings.
ipl: runs by season | batter=Devdutt season=all | first 1
    First: IPL 2020 for Devdutt across all IPL seasons: 473 runs (379 balls, 15 innings).
ipl: wins by month | team=MI
    Wins for MI: 0 in March; 3 in April; 1 in May; 4 in all.
ipl: wins by weekday | team=MI
    Wins for MI: 1 on Mondays; 0 on Tuesdays; 0 on Wednesdays; 2 on Thursdays; 0 on Fridays; 0 on Saturdays; 1
    on Sundays; 4 in all.
ipl: runs by city | batter=Kohli | top 2
    Most runs for Kohli: 340 in Bengaluru; 113 in Jaipur.
ipl: points by team | season=2016 | top 1
    Gujarat Lions had the most points in IPL 2016: 18 (place in the table 1, net run rate -0.374).
ipl: points by team | season=2015- | top 1
    Most points since IPL 2015: Chennai Super Kings 18 in IPL 2015; Delhi Capitals 20 in IPL 2021; Gujarat Lions
    18 in IPL 2016; Gujarat Titans 20 in IPL 2022; Gujarat Titans 20 in IPL 2023; Kolkata Knight Riders 20 in
    IPL 2024; Mumbai Indians 20 in IPL 2017; Mumbai Indians 18 in IPL 2019; Mumbai Indians 18 in IPL 2020;
    Sunrisers Hyderabad 18 in IPL 2018.
ipl: record | player=Kohli season=2016
    Kohli in IPL 2016: 16 innings, 973 runs, batting average 81.08, strike rate 152.03, highest score 113 (v
    Punjab Kings, 18 May 2016), 7 fifties, 4 hundreds and 38 sixes.
ipl: record | team=MI season=all
    MI played 261 matches, won 144 matches, lost 117 matches, had 1 match without a result and won 5 titles
    across all IPL seasons.
ipl_2024: record | team=MI
    Mumbai Indians: 14 matches, 4 wins, 10 losses, 0 matches without a result, place in the table 10, 8 points,
    net run rate -0.318.
ipl_2024: matches | result=no_result
    There were 3 matches without a result.
ipl: runs | batter=Kohli season=2016
    Kohli scored 973 runs off 640 balls in IPL 2016 (16 innings).
ipl: runs | batter=Kohli season=2018-
    Kohli scored 3586 runs off 2662 balls since IPL 2018 (103 innings).
ipl: wickets by bowler | season=2008-2012 | top 1
    Lasith Malinga took the most wickets in IPL 2008-2012: 83 in 56 innings (1302 balls).
ipl: runs by batter | season=2016,2024 | top 2
    Most runs in IPL 2016 and 2024: Virat Kohli 973 in IPL 2016; David Warner 848 in IPL 2016.
ipl: wins | team=MI season!=2020
    MI won 133 of 245 matches outside IPL 2020.
ipl_2024: runs | batter=Kohli month=april
    Kohli scored 319 runs off 211 balls in April (7 innings).
ipl_2024: team_sixes | team=SRH month!=april
    SRH hit 105 sixes outside April (10 innings).
ipl_2024: runs | batter=Kohli weekday=weekend
    Kohli scored 317 runs off 192 balls at weekends (6 innings).
ipl_2024: wickets | bowler=Bumrah weekday!=sunday
    Bumrah took 15 wickets except on Sundays (10 innings, 239 balls).
ipl_2024: hundreds | after=2024-04-30
    There were 3 hundreds after 2024-04-30.
ipl_2024: runs by batter | from=2024-04-16 to=2024-04-30 | top 1
    Ruturaj Gaikwad scored the most runs from 2024-04-16 to 2024-04-30: 223 off 127 balls in 3 innings.
ipl_2024: runs | batter=Kohli before=2024-04-15
    Kohli scored 319 runs off 225 balls before 2024-04-15 (6 innings).
ipl_2024: wins by team | half=2 | top 1
    Royal Challengers Bengaluru won the most matches in the second half of the league stage: 6 of 7.
ipl_2024: runs by batter | match=36-70 | top 1
    Virat Kohli scored the most runs in match 36-70: 347 off 210 balls in 7 innings.
ipl_2024: runs | batter=Kohli match!=1
    Kohli scored 720 runs off 459 balls outside match 1 (14 innings).
ipl_2024: runs | batter=Kohli nth_match=1-7
    Kohli scored 361 runs off 245 balls in his first 7 matches (7 innings).
ipl_2024: wins | team=RCB nth_match=8-
    RCB won 6 of 8 matches from their 8th match on.
ipl_2024: wickets | bowler=Bumrah last_matches=1
    Bumrah took 2 wickets in his last match (1 innings, 24 balls).
ipl_2024: runs by batter | nth_innings=1 | top 1
    Sanju Samson scored the most runs in each batter's first innings: 82 off 52 balls in 1 innings.
ipl_2024: runs | batter=Rohit last_innings=6
    Rohit scored 114 runs off 92 balls in his last 6 innings (6 innings).
ipl_2024: strike_rate | batter=Russell first_balls=10
    Russell scored at a strike rate of 175.00 in his first 10 balls of the innings: 140 runs off 80 balls.
ipl_2024: runs by batter | last_balls=6 | top 1
    Abhishek Sharma scored the most runs in a batter's last 6 balls of the innings: 176 off 92 balls in 16
    innings.
ipl_2024: runs | batter=Kohli from_score=50
    Kohli scored 181 runs off 107 balls after reaching 50 (6 innings).
ipl_2024: wickets | bowler=Bumrah ball=6
    Bumrah took 4 wickets on the 6th ball of an over (13 innings, 51 balls).
ipl_2024: sixes | last_ball=yes
    There were 27 sixes on the last ball of the innings.
ipl_2024: runs_conceded | bowler=Siraj extra=wide
    Siraj conceded 27 runs on wides (0 balls).
ipl_2024: runs | batter=Klaasen free_hit=yes
    Klaasen scored no runs on free hits: there is no such record.
ipl_2024: runs | batter=Kohli partner="Faf du Plessis"
    Kohli scored 341 runs off 213 balls with Faf du Plessis at the other end (15 innings).
ipl_2024: wins | team=CSK with=Pathirana
    CSK won 3 of 6 matches when Pathirana played.
ipl_2024: wins | team=CSK without=Pathirana
    CSK won 4 of 8 matches when Pathirana did not play.
ipl_2024: runs | origin=overseas
    There were 9032 runs off 5777 balls by overseas batters.
ipl_2024: wickets by bowler | origin=overseas | top 1
    Andre Russell took the most wickets among overseas bowlers: 19 in 14 innings (176 balls).
ipl_2024: runs | batter=Kohli bowler_origin=overseas
    Kohli scored 284 runs off 193 balls against overseas bowlers (14 innings).
ipl_2024: wickets | bowler=Bumrah batter_origin=indian
    Bumrah took 14 wickets against Indian batters (13 innings, 200 balls).
ipl_2024: runs by player | all_rounder=yes | top 1
    Sunil Narine scored the most runs among all-rounders (at least 100 runs and 5 wickets in the season): 488
    off 270 balls in 14 innings.
ipl_2024: runs by batter | stage!=final phase!=death | top 1
    Virat Kohli scored the most runs outside the final outside the death overs: 644 off 429 balls in 15 innings.
ipl_2024: runs by batter | phase=powerplay,death | top 1
    Virat Kohli scored the most runs in the powerplay and at the death: 470 off 281 balls in 15 innings.
ipl_2024: runs by batter | venue!=Chepauk | top 1
    Virat Kohli scored the most runs at grounds other than Chepauk: 720 off 459 balls in 14 innings.
ipl_2024: wins | team=MI date!=2024-04-01
    MI won 4 of 13 matches on days other than 2024-04-01.
ipl_2024: runs by batter | overs=16- | top 1
    Tristan Stubbs scored the most runs from over 16 on: 252 off 96 balls in 8 innings.
ipl_2024: economy by bowler | last=1 | bottom 1
    Lowest economy rate in the last over: T Natarajan, 8.80 (44 runs off 30 balls) (at least 30 balls bowled).
ipl_2024: highest_score by batter | each sixes=0 | top 1
    Highest score in innings without a six: Ruturaj Gaikwad, 67*, v Kolkata Knight Riders, 8 April 2024.
ipl_2024: innings by batter | each runs>=30 | top 1
    Most innings with at least 30 runs, level: Sai Sudharsan 10; Virat Kohli 10.
ipl_2024: runs by batter | each wins=1 | top 1
    Travis Head scored the most runs in wins: 486 off 239 balls in 9 innings.
ipl_2024: matches | team=SRH | each total>=200
    SRH played 6 matches with a total of at least 200.
ipl_2024: wins | batter=Kohli | each runs>=50
    Kohli won 4 matches with at least 50 runs (6 matches).
ipl_2024: wickets by bowler | each economy<6 | top 1
    Jasprit Bumrah took the most wickets in innings with an economy rate of less than 6: 17 in 7 innings (167
    balls).
ipl_2024: runs by batter | having sixes>=20 | top 2
    Virat Kohli scored the most runs with at least 20 sixes (741), ahead of Riyan Parag (573).
ipl_2024: total/wickets_lost | team=KKR
    KKR scored 35.09 runs with extras a wicket (2667 runs (with extras), 76 wickets lost).
ipl_2024: dots%balls | batter=Kohli
    Dot balls faced were 30.90 % of Kohli's balls faced (148 dot balls faced, 479 balls).
ipl_2024: wickets%team | bowler=Bumrah
    Bumrah took 23.53 % of the team's wickets with run-outs (20 of 85).
ipl_2024: runs%all | batter=Kohli phase=powerplay
    Kohli scored 4.63 % of all runs with extras in the powerplay (373 of 8055).
ipl_2024: sixes/innings by batter | top 2
    Jake Fraser-McGurk had the most sixes per innings (3.11), ahead of Abhishek Sharma (2.62) (at least 5
    innings).
ipl_2024: runs%team by batter | top 1
    Highest share: Sai Sudharsan, 25.83 % of the team's runs with extras (527 of 2040).
ipl_2024: economy by bowler | having overs_bowled>=30 | bottom nth 3
    Third lowest economy rate with at least 30 overs bowled: Axar Patel, 7.66 (337 runs off 264 balls).
ipl_2024: wickets by bowler | top nth 3
    Third most wickets: Jasprit Bumrah, 20 in 13 innings (311 balls).
ipl_2024: sixes by batter | top nth 2
    Second most sixes, shared: Heinrich Klaasen 38; Virat Kohli 38.
ipl_2024: economy by bowler | place Bumrah
    Jasprit Bumrah was 1st of 80 by economy rate (economy rate 6.48) (at least 60 balls bowled).
ipl_2024: wins by team | place MI
    Mumbai Indians was 10th of 10 by wins (4 wins).
ipl_2024: wickets by bowler | place Kohli
    Kohli is not in the ranking by wickets.
ipl_2024: runs | batter=Kohli | reach 1000
    Kohli never got to 1000 runs.
ipl_2024: sixes by batter | reach 25 | first 1
    First to 25 sixes: Heinrich Klaasen in 7 innings, v Delhi Capitals, 20 April 2024 (ball 8.2, 25 sixes then).
ipl_2024: wins by team | reach 20
    Nobody got to 20 wins.
ipl_2024: streak | team=RR | each losses=1
    RR's longest run was 4 matches in a row lost (first v Sunrisers Hyderabad, 2 May 2024; last v Punjab Kings,
    15 May 2024).
ipl_2024: current_streak by team | each wins=1 | top 1
    Longest run still on: Kolkata Knight Riders, 6 matches in a row won (first v Delhi Capitals, 29 April 2024;
    last v Sunrisers Hyderabad, 26 May 2024).
ipl_2024: streak | batter=Dhoni | each dismissals=0
    Dhoni's longest run was 7 innings in a row not out (first v Delhi Capitals, 31 March 2024; last v Sunrisers
    Hyderabad, 28 April 2024).
ipl_2024: streak | team=CSK | each tosses_lost=1
    CSK's longest run was 6 matches in a row with the toss lost (first v Mumbai Indians, 14 April 2024; last v
    Punjab Kings, 5 May 2024).
ipl_2024: streak by bowler | each wickets=0 | top nth 2
    Second longest: Ravichandran Ashwin, 6 innings in a row without a wicket (first v Delhi Capitals, 28 March
    2024; last v Mumbai Indians, 22 April 2024).
ipl_2024: six_hit | batter=Kohli | first 2
    First sixes of Kohli: Virat Kohli off Maheesh Theekshana, ball 9.2 of innings 1, Royal Challengers Bengaluru
    v Chennai Super Kings, 22 March 2024; Virat Kohli off Rahul Chahar, ball 8.4 of innings 2, Punjab Kings v
    Royal Challengers Bengaluru, 25 March 2024.
ipl_2024: six_hit | first nth 1000
    1000th six: Krunal Pandya off Jaydev Unadkat, ball 7.5 of innings 1, Lucknow Super Giants v Sunrisers
    Hyderabad, 8 May 2024, Rajiv Gandhi International Stadium.
ipl_2024: wicket_fall | team=SRH stage=final | last nth 2
    Second from last wicket for SRH in the final: Jaydev Unadkat (lbw), bowler Sunil Narine, score 113/9, ball
    17.5 of innings 1, Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium.
ipl_2024: hundred_made | batter=Rohit
    Hundred: Rohit Sharma off Matheesha Pathirana, ball 19.3 of innings 2, Chennai Super Kings v Mumbai Indians,
    14 April 2024, Wankhede Stadium.
ipl_2024: hundred_made | batter=Bumrah
    There is no hundred for Bumrah on record.
ipl_2024: ball_bowled | bowler=Starc stage=final | last 1
    Last ball of Starc in the final: Mitchell Starc to Nitish Kumar Reddy, 0 runs, ball 4.6 of innings 1,
    Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium.
ipl_2024: over_runs | bowler=Bumrah | top nth 2
    Second most runs in an over: Jasprit Bumrah 16 runs, to Sanju Samson and Yashasvi Jaiswal, over 15 of
    innings 2, Mumbai Indians v Rajasthan Royals, 22 April 2024, Sawai Mansingh Stadium.
ipl_2024: over_sixes | batter=Head | top 1
    Most sixes of one batter in an over: Travis Head 3 sixes, off Krishnappa Gowtham, over 3 of innings 2,
    Lucknow Super Giants v Sunrisers Hyderabad, 8 May 2024, Rajiv Gandhi International Stadium.
ipl_2024: overs by bowler | each over_runs>=20 | top 1
    Anrich Nortje bowled the most overs with at least 20 runs: 6.
ipl_2024: count by bowler | team=MI
    There were 17 bowlers for MI: Jasprit Bumrah, Hardik Pandya, Piyush Chawla, Gerald Coetzee, Nuwan Thushara,
    Mohammad Nabi, Akash Madhwal, Romario Shepherd, Anshul Kamboj, Naman Dhir, Shreyas Gopal, Kwena Maphaka,
    Luke Wood, Shams Mulani, Arjun Tendulkar, Nehal Wadhera, Tilak Varma.
ipl_2024: count by batter | having runs>=1000
    There were 0 batters with at least 1000 runs.
ipl_2024: dot_streak | bowler=Bumrah
    Bumrah had 7 dot balls in a row, to Ramandeep Singh, Mitchell Starc and Venkatesh Iyer, v Kolkata Knight
    Riders, 3 May 2024.
ipl_2024: batting_hand, bowling_style, role | player=Jadeja
    Ravindra Jadeja: bats left-handed, bowls slow left arm orthodox, role allrounder.
ipl_2024: eleven | team=SRH stage=final
    Played for SRH in the final: Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024: Abdul Samad
    (substitute), Abhishek Sharma, Aiden Markram, Bhuvneshwar Kumar, Heinrich Klaasen, Jaydev Unadkat, Nitish
    Kumar Reddy, Pat Cummins, Rahul Tripathi, Shahbaz Ahmed, T Natarajan, Travis Head.
ipl_2024: squad | team=CSK
    Matches for CSK: MS Dhoni 14; Ravindra Jadeja 14; Ruturaj Gaikwad 14; Shivam Dube 14; Ajinkya Rahane 13;
    Daryl Mitchell 13; Tushar Deshpande 13; Rachin Ravindra 10; Mustafizur Rahman 9; Shardul Thakur 9; Deepak
    Chahar 8; Moeen Ali 8; Sameer Rizvi 8; Matheesha Pathirana 6; Maheesh Theekshana 5; Simarjeet Singh 4;
    Mitchell Santner 3; Richard Gleeson 2; Mukesh Choudhary 1.
ipl_2024: home_ground | team=MI
    MI played most at home at Wankhede Stadium: 7 matches.
ipl: titles | team=PBKS season=all
    PBKS won 0 titles across all IPL seasons.
ipl: winner, margin | stage=final season=2010
    In the final in IPL 2010: Chennai Super Kings v Mumbai Indians (final), 25 April 2010, Dr DY Patil Sports
    Academy: Chennai Super Kings won by 22 runs.
ipl: player_of_match | stage=final season=2011,2012
    In the final in IPL 2011 and 2012: IPL 2011, Chennai Super Kings v Royal Challengers Bengaluru (final), 28
    May 2011, MA Chidambaram Stadium: Murali Vijay was player of the match; IPL 2012, Kolkata Knight Riders v
    Chennai Super Kings (final), 27 May 2012, MA Chidambaram Stadium: Manvinder Bisla was player of the match.
ipl: runs by season, batter | batter=Kohli season=2016,2024
    Runs in IPL 2016 and 2024: Virat Kohli 973 in IPL 2016; Virat Kohli 741 in IPL 2024; a difference of 232.
ipl: matches by city | season=2009 | top 2
    Most matches in IPL 2009: 15 in Durban; 12 in Centurion.
ipl: record | player=Bumrah season=all
    Bumrah across all IPL seasons: 133 innings bowled in, 165 wickets, economy rate 7.30, bowling average 22.52,
    bowling strike rate 18.50 and best figures 5/10 (v Kolkata Knight Riders, 9 May 2022).
ipl: fours by month | team=MI season=2019
    Fours for MI in IPL 2019: 57 in March; 120 in April; 53 in May; 230 in all.
ipl: losses | team=RCB season=all stage=final
    RCB lost 3 of 3 matches across all IPL seasons in the final.
ipl_2024: wins | team=MI stage=final
    MI won 0 matches in the final (0 matches).
ipl_2024: umpires | stage=final
    Sunrisers Hyderabad v Kolkata Knight Riders (final), 26 May 2024, MA Chidambaram Stadium: umpires J
    Madanagopal and Nitin Menon.
ipl_2024: runs | batter=Kohli | each sixes=0
    Kohli scored 3 runs off 9 balls in innings without a six (1 innings).
ipl_2024: streak by batter | each runs>=100 | having streak>=5
    There is no such run of innings in a row with at least 100 runs with a streak of at least 5.
ipl_2024: fifties by batter | team!=RCB player!=Rohit | top 1
    Sanju Samson made the most fifties other than RCB other than Rohit: 5 in 15 innings.
ipl_2024: batting | player=Head phase=powerplay
    Head in the powerplay: 15 innings, 402 runs, batting average 67.00, strike rate 208.29, highest score 84* (v
    Delhi Capitals, 20 April 2024), 4 fifties, 0 hundreds and 22 sixes.
ipl_2024: wins | team=CSK with=Pathirana,Jadeja
    CSK won 7 of 14 matches when Pathirana or Jadeja played.
ipl_2024: runs by batter | phase!=powerplay,death stage!=league | top 1
    Heinrich Klaasen scored the most runs outside the powerplay and the death overs outside the league stage: 78
    off 59 balls in 3 innings.
ipl_2024: position | team=MI,CSK
    Chennai Super Kings had the better place in the table: 5 to Mumbai Indians' 10; a difference of 5.
ipl_2024: four_hit | batter=Maxwell stage=eliminator | first 1
    There is no four for Maxwell in the eliminator on record.
ipl_2024: wicket_fall | batter=Kohli date=2024-05-22
    Wicket on 2024-05-22: Virat Kohli (caught), bowler Yuzvendra Chahal, score 56/2, ball 7.2 of innings 1,
    Royal Challengers Bengaluru v Rajasthan Royals (eliminator), 22 May 2024, Narendra Modi Stadium.
ipl_2024: strike_rate by batter | place Kohli
    Virat Kohli was 29th of 66 by strike rate (strike rate 154.70) (at least 100 balls faced).
ipl_2024: wickets by bowler | reach 20 | last nth 2
    Second from last to 20 wickets: Jasprit Bumrah in 13 innings, v Kolkata Knight Riders, 11 May 2024 (ball
    15.2, 20 wickets then).
ipl: referee, city | stage=final season=2008-2009
    In the final in IPL 2008-2009: Chennai Super Kings v Rajasthan Royals (final), 1 June 2008, Dr DY Patil
    Sports Academy: match referee J Srinath, city Navi Mumbai; Royal Challengers Bengaluru v Deccan Chargers
    (final), 24 May 2009, New Wanderers Stadium: match referee J Srinath, city Johannesburg.
ipl_2024: eleven | player=Kohli stage=eliminator
    Played in the eliminator: Royal Challengers Bengaluru v Rajasthan Royals (eliminator), 22 May 2024: Virat
    Kohli.
ipl_2024: runs by batter | batter="KL Rahul",Gaikwad | top 1
    Most runs of KL Rahul and Gaikwad: Ruturaj Gaikwad, 583 off 413 balls in 14 innings.
ipl_2024: runs by batter, match | batter=Kohli | top 1
    Most runs in a match for Kohli: Virat Kohli, Royal Challengers Bengaluru v Rajasthan Royals, 113, 6 April
    2024, Sawai Mansingh Stadium (72 balls).
ipl_2024: six_hit | batter=Dhoni | first 1
    First six of Dhoni: MS Dhoni off Khaleel Ahmed, ball 17.5 of innings 2, Delhi Capitals v Chennai Super
    Kings, 31 March 2024, Dr. Y.S. Rajasekhara Reddy ACA-VDCA Cricket Stadium.
ipl_2024: sixes by batter | top nth 3
    Third most sixes, shared: Heinrich Klaasen 38; Virat Kohli 38.
ipl_2024: position by team | top 1
    Worst place in the table: Mumbai Indians, 10 (8 points).
ipl_2024: balls_to_fifty by batter | bottom 1
    Fastest fifty: Jake Fraser-McGurk, 15 balls, v Sunrisers Hyderabad, 20 April 2024.
ipl_2024: highest_total by team | bottom 1
    Lowest of each one's highest total: Chennai Super Kings, 212/3, v Sunrisers Hyderabad, 28 April 2024.
ipl_2024: over_runs by bowler | top 1
    Most runs in an over: Anrich Nortje, 32, v Mumbai Indians, 7 April 2024, innings 1, over 20.
ipl_2024: streak | batter=Kohli | each runs>=50 | last 1
    Kohli's last run was 1 innings in a row with at least 50 runs (v Punjab Kings, 9 May 2024).
ipl_2024: runs by bowler | top 1
    Most runs: off Pat Cummins, 556 off 366 balls.
ipl_2024: runs, catches | player=Kohli
    Kohli scored 741 runs and took 8 catches (479 balls, 15 innings).
ipl_2024: wins, losses | team=MI
    MI won 4 and lost 10 of 14 matches.
ipl_2024: awards by player | place Dhoni
    Dhoni is not in the ranking by player-of-the-match awards.
ipl_2024: runs by batter | batter=Kohli,Gaikwad
    Virat Kohli scored more runs: 741 to Ruturaj Gaikwad's 583; a difference of 158.
ipl_2024: strike_rate by batter | batter="Phil Salt",Narine
    Phil Salt had the higher strike rate by a whisker: 182.01 to Sunil Narine's 180.74; a difference of 1.27.
ipl_2024: wins by team | team=RCB,CSK
    Level on wins: Chennai Super Kings 7, Royal Challengers Bengaluru 7.
ipl_2024: runs by batter | having runs>=580
    Runs with at least 580 runs: Virat Kohli 741; Ruturaj Gaikwad 583; a difference of 158.
ipl_2024: titles by team | having titles>=1
    Kolkata Knight Riders with at least 1 title: 1 title.
ipl_2024: wickets by bowler | having economy<8 | top 1
    Jasprit Bumrah took the most wickets with an economy rate of less than 8: 20 in 13 innings (311 balls).
ipl_2024: margin_runs | team=KKR
    KKR's biggest win by runs was by 106, v Delhi Capitals, 3 April 2024.
ipl_2024: balls_to_fifty | batter=Rohit
    Rohit's fastest fifty took 28 balls, v Lucknow Super Giants, 17 May 2024.
ipl_2024: fours by batter, match | top 2
    Most fours: Phil Salt 14 (Lucknow Super Giants v Kolkata Knight Riders, 14 April 2024, Eden Gardens); Marcus
    Stoinis 13 (Chennai Super Kings v Lucknow Super Giants, 23 April 2024, MA Chidambaram Stadium); Sunil Narine
    13 (Kolkata Knight Riders v Rajasthan Royals, 16 April 2024, Eden Gardens).
ipl_2024: dismissals | batter=Kohli dismissal=bowled
    Kohli was out 1 time (bowled).
ipl_2024: strike_rate by batter | having balls>=200 | top 3
    Abhishek Sharma had the highest strike rate with at least 200 balls faced (204.22), ahead of Travis Head
    (191.55) and Phil Salt (182.01).
ipl_2024: runs, average, strike_rate | batter=Kohli
    Kohli scored 741 runs at a batting average of 61.75 and a strike rate of 154.70 (479 balls, 15 innings, 12
    dismissals).
ipl_2024: average | batter=Kohli
    Kohli averaged 61.75: 741 runs, out 12 times, 15 innings.
ipl_2024: hat_tricks by bowler | having hat_tricks>=1
    There is no bowler with at least 1 hat-trick.
ipl_2024: wickets by bowler | bowling=left_arm_pace | top 2
    Most wickets by left arm pace bowlers, level: Arshdeep Singh 19; T Natarajan 19.
"""


def cases():
    """(season, line, sentence) of each case."""
    found = []
    for text in CASES.strip().splitlines():
        if text.startswith("    "):
            found[-1][2].append(text.strip())
        else:
            season, _, line = text.partition(": ")
            found.append((season, line, []))
    return [(season, line, " ".join(said)) for season, line, said in found]


@functools.cache
def statistics_of(season):
    return Statistics(load(season))


@functools.cache
def names_of(season):
    return functools.cache(resolver(Names.for_season(statistics_of(season).season)))


@pytest.mark.parametrize(("season", "line", "said"), cases(), ids=[f"{season}: {line}" for season, line, _ in cases()])
def test_the_plain_sentence_of_a_line(season, line, said):
    tables = [statistics_of(season).answer(query, names_of(season)) for query in parse(line).queries]
    laid = sheet(tables)
    assert fill(sentence(tables, laid), laid.values) == said
    for texts in product(*wordings(tables, laid)):
        assert missing(" ".join(texts), tables, laid, line) == "", texts


def test_the_cases_have_every_kind_of_measure_and_every_filter_and_clause():
    queries = [query for _, line, _ in cases() for query in parse(line).queries]
    assert {MEASURES[m].kind for query in queries for m in query.measures} == {m.kind for m in MEASURES.values()}
    assert {MEASURES[m].source for query in queries for m in query.measures} >= {
        "bat", "bowl", "team", "result", "table", "match", "person", "lineup", "over", "batter_over", "run"
    }  # fmt: skip
    new = {f.name for f in FILTERS.values()} - _WORDED_IN_OTHER_TESTS
    assert new <= {f.key for query in queries for f in query.filters}
    for clause in ("each", "having", "rank", "reach", "place"):
        assert sum(getattr(query, clause) not in (None, ()) for query in queries) >= 2, clause


# those that the language always had: tests/test_verifier.py
_WORDED_IN_OTHER_TESTS = frozenset({
    "fielder", "opponent", "between", "position", "bowling", "hand", "dismissal", "wicket", "toss", "chose", "won_by",
    "margin", "keeper", "shortened", "score", "haul", "stand", "target", "result", "home",
})  # fmt: skip


def check(line, table, names=None):
    """Every wording of a table is filled in, states every condition, and is accepted by the verifier."""
    laid = sheet([table])
    (texts,) = wordings([table], laid)
    assert texts and len(texts) <= 64, line
    for text in texts:
        said = fill(text, {**(names or {}), **laid.values})
        assert "  " not in said and said.endswith((".", ")")), said
        assert missing(text, [table], laid, line) == "", (line, text)
        for phrase in stated_phrases(table.query):
            assert phrase.lower() in text.lower(), (line, text)


@pytest.mark.parametrize(("season", "lines"), [("ipl_2024", 2000), ("ipl", 1000)])
def test_every_random_line_has_wordings_that_state_its_conditions_and_pass_the_verifier(season, lines):
    statistics, rng, tried = statistics_of(season), random.Random(11), 0
    while tried < lines:
        query = random_query(rng, statistics)
        try:
            table = statistics.answer(query)
        except QueryError:
            continue
        check(str(query), table)
        tried += 1


def placeholders(anchor, others):
    """A key for each placeholder that a line may have: of a ball its men, sides, ground and day, and some of others."""
    bound = {"P1": anchor.batter, "P2": anchor.bowler, "T1": anchor.batting, "T2": anchor.bowling, "V1": anchor.venue,
             "D1": anchor.date}  # fmt: skip
    for n, other in enumerate(others, 2):
        bound |= {f"P{n + 1}": other.batter, f"T{n + 1}": other.batting, f"V{n}": other.venue, f"D{n}": other.date}
    return {name: (key,) for name, key in bound.items()} | {f"Y{n}": (f"{2007 + 3 * n}",) for n in range(1, 5)}


def test_the_lines_of_the_phrase_files_have_wordings_that_pass_the_verifier():
    statistics, rng = statistics_of("ipl"), random.Random(12)
    anchors, book, tried = Binder(statistics).anchors, Phrasebook.load(), 0
    for _ in range(1500):
        for query in parse(book.sample(rng).line).queries:
            bound = placeholders(rng.choice(anchors), rng.sample(anchors, 4))
            try:
                table = statistics.answer(query, lambda _, value, bound=bound: bound.get(value, (value,)))
            except QueryError:
                continue
            if not {f"{kind}{n}" for kind in "PTVDY" for n in range(1, 5)} & set(sheet([table]).values):
                check(str(query), table, {name: keys[0] for name, keys in bound.items()})
                tried += 1
    assert tried > 500


def test_every_filter_leaves_its_phrase_beside_every_kind_of_figure():
    """Whatever the subject, no value of a filter is lost."""
    measures = {m.source: m.name for m in MEASURES.values() if m.kind != "summary"}.values()
    values = {"P": ("X Y",), "T": ("Team",), "V": ("Ground",), "D": ("2024-05-26",), "whole": ("4",), "number": ("4",),
              "Y": ("2016", "2018-", "2012-2014"), "range": ("3", "3-", "3-5")}  # fmt: skip
    for measure, key in product(measures, FILTERS.values()):
        for value in values.get(key.takes, ()):
            for op in ("=", "!=") if key.negatable else ("=",):
                query = Query((measure,), ("batter",), (Filter(key.name, op, (value,)),))
                named = query.filters[0] in subject(query)
                said = " ".join(circumstance_phrases(query))
                assert named or any(part in said for part in value.split("-") if part), (query, said)


def test_a_row_is_called_by_what_it_is_a_row_of():
    """Every dimension of every season has rows that are worded."""
    for dimension in DIMENSIONS:
        of_results = "matches" if dimension in _OF_RESULTS else "balls"
        line = f"{'stands' if dimension in ('pair', 'wicket') else of_results} by {dimension}"
        for query in parse(line).queries:
            try:
                table = statistics_of("ipl_2024").answer(query)
            except QueryError:
                continue
            check(line, table)


_OF_RESULTS = ("team", "opponent", "stage", "result", "toss", "home", "city", "season", "month", "weekday", "player")


@pytest.mark.parametrize(("template", "said"), [
    ("T1's total was A1", "Punjab Kings' total was 262"),
    ("P1's strike rate was A1", "Virat Kohli's strike rate was 262"),
    ("B1 five-wicket hauls", "1 five-wicket haul"),
])  # fmt: skip
def test_possessives_and_numbers_are_written_as_in_english(template: str, said: str) -> None:
    assert fill(template, {"T1": "Punjab Kings", "P1": "Virat Kohli", "A1": "262", "B1": "1"}) == said

"""From a merged model to GGUF files: conversion, importance matrix, quantisation, and a runtime to check them."""

// Package knowledge is the write side of knowledge bases: bases and documents are
// made, changed and deleted here, and what costs model calls happens here, too:
// searches, OpenAI's vector stores, and answers from sources (RAG).
package knowledge

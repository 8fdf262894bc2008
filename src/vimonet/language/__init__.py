"""Read and rewrite the English of questions and answers: numbers, sides, polarity, abstention, mirroring."""

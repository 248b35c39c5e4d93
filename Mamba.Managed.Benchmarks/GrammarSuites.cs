using BenchmarkDotNet.Attributes;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Benchmarks;

/// <summary>Steps of a constraint over the vocabulary of GPT-NeoX: the mask on the logits, and the token that was chosen.</summary>
/// <remarks>A text is written from its beginning to its end; the table's time is that of a token. Filling the logits anew is part of it.</remarks>
public class GrammarSuite : ISuite
{
    private const string Schema = """
        {"type":"object","properties":{
          "title":{"type":"string","maxLength":200},"author":{"type":"object","properties":{"name":{"type":"string"},"email":{"type":["string","null"],"format":"email"}},"required":["name","email"]},
          "tags":{"type":"array","items":{"type":"string"}},"pages":{"type":"array","items":{"type":"object","properties":{"number":{"type":"integer","minimum":0},"text":{"type":"string"}},"required":["number","text"]}}},
         "required":["title","author","tags","pages"],"additionalProperties":false}
        """;

    private const string Written = """
        {"title": "On the selective use of a state that is as large as it must be", "author": {"name": "A. N. Author", "email": "a.author@example.com"}, "tags": ["state space", "language", "sequence modelling"], "pages": [{"number": 1, "text": "The quick brown fox jumps over the lazy dog, \"again\" and again.\nIt never tires."}, {"number": 2, "text": "Some other text follows here, of the usual length."}]}
        """;

    private const int Tokens = 116;

    private readonly float[] logits = new float[50280];
    private GrammarVocabulary? vocabulary;
    private BpeTokenizer? tokenizer;
    private Grammar? grammar;
    private int[] tokens = [];

    /// <summary>Nothing is multiplied; each step goes over the logits once.</summary>
    public Work Work => new(0, sizeof(float) * 50280.0, IsStreaming: false, 1);

    /// <summary>Reads the tokenizer and the schema.</summary>
    [GlobalSetup]
    public void Setup()
    {
        tokenizer = BpeTokenizer.Load(Repository.Tokenizer);
        vocabulary = new(tokenizer);
        tokens = tokenizer.Encode(Written.Trim());
        grammar = Parse();
        if (tokens.Length != Tokens || !Run(grammar))
        {
            throw new InvalidDataException($"expected a whole text of {Tokens} tokens, found {tokens.Length}");
        }
    }

    /// <summary>A grammar that was used before: its masks are known.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Tokens)]
    public bool Again() => Run(grammar!);

    /// <summary>The first use of a grammar: it is made, and each mask is found.</summary>
    [Benchmark(OperationsPerInvoke = Tokens)]
    public bool First() => Run(Parse());

    private static Grammar Parse()
    {
        using System.Text.Json.JsonDocument schema = System.Text.Json.JsonDocument.Parse(Schema);
        return Grammar.OfJsonSchema(schema.RootElement);
    }

    private bool Run(Grammar used)
    {
        GrammarConstraint constraint = new(used, vocabulary!, tokenizer!.EndTokenIds);
        foreach (int token in tokens)
        {
            logits.AsSpan().Fill(1);
            constraint.Apply(logits);
            constraint.Accept(token);
        }

        return constraint.IsComplete;
    }
}

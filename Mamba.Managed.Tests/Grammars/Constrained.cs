using System.Numerics.Tensors;
using System.Text;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>Runs of a model that knows nothing: random logits, held to a grammar.</summary>
internal static class Constrained
{
    private static readonly Lazy<float[]> Noise = new(() =>
    {
        Random random = new(7);
        return [.. Enumerable.Range(0, 1 << 18).Select(_ => random.NextSingle() * 8)];
    });

    /// <summary>The vocabulary of GPT-NeoX.</summary>
    public static Lazy<(Tokenizer Tokenizer, GrammarVocabulary Vocabulary)> Neox { get; } =
        new(() => Of(BpeTokenizer.Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer", "tokenizer.json"))));

    /// <summary>A token a byte, none of which ends a text.</summary>
    public static Lazy<(Tokenizer Tokenizer, GrammarVocabulary Vocabulary)> Bytes { get; } = new(() => Of(new ByteTokenizer()));

    /// <summary>Generates until the text is complete.</summary>
    /// <param name="grammar">What it must be.</param>
    /// <param name="model">The tokens.</param>
    /// <param name="seed">Of the logits.</param>
    /// <param name="maxTokens">Where it is cut off.</param>
    /// <returns>The bytes, and whether they are complete.</returns>
    public static (byte[] Bytes, bool IsComplete) Run(Grammar grammar, (Tokenizer Tokenizer, GrammarVocabulary Vocabulary) model, int seed, int maxTokens = 1500)
    {
        Random random = new(seed);
        GrammarConstraint constraint = new(grammar, model.Vocabulary, model.Tokenizer.EndTokenIds);
        List<int> tokens = [];
        float[] logits = new float[model.Tokenizer.VocabularySize + 3];
        bool likesEnds = seed % 3 != 0;
        while (!constraint.IsComplete && tokens.Count < maxTokens)
        {
            Noise.Value.AsSpan(random.Next(Noise.Value.Length - logits.Length), logits.Length).CopyTo(logits);
            if (likesEnds && random.Next(4) == 0)
            {
                // Otherwise strings are long and few.
                foreach (char close in "\"}]")
                {
                    logits[model.Tokenizer.Encode(close.ToString(), addSpecialTokens: false)[0]] += 20;
                }
            }

            constraint.Apply(logits);
            int token = TensorPrimitives.IndexOfMax<float>(logits);
            Assert.That(logits[token], Is.GreaterThan(float.NegativeInfinity));
            constraint.Accept(token);
            if (!model.Tokenizer.EndTokenIds.Contains(token))
            {
                tokens.Add(token);
            }
        }

        byte[] bytes = [.. tokens.SelectMany(token => model.Tokenizer.BytesOf(token).ToArray())];
        return (bytes, constraint.IsComplete);
    }

    /// <summary>Whether a grammar has a text, read byte by byte.</summary>
    public static bool Accepts(Grammar grammar, string text) => Reads(grammar, text) is { MayEnd: true };

    /// <summary>Whether a grammar has a text that begins with this.</summary>
    public static bool Begins(Grammar grammar, string text) => Reads(grammar, text) is { IsDead: false };

    private static Configuration Reads(Grammar grammar, string text)
    {
        GrammarMasks masks = Bytes.Value.Vocabulary.MasksOf(grammar);
        return masks.After(masks.Start(), Encoding.UTF8.GetBytes(text));
    }

    private static (Tokenizer Tokenizer, GrammarVocabulary Vocabulary) Of(Tokenizer tokenizer) => (tokenizer, new(tokenizer));
}

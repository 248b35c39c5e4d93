using BenchmarkDotNet.Attributes;
using Mamba.Managed.Tokenizers;
using Microsoft.ML.Tokenizers;
using BpeTokenizer = Mamba.Managed.Tokenizers.BpeTokenizer;
using Peer = Microsoft.ML.Tokenizers.BpeTokenizer;

namespace Mamba.Managed.Benchmarks;

/// <summary>The GPT-NeoX tokenizer on English text, beside Microsoft.ML.Tokenizers with the same vocabulary and its own splitting.</summary>
/// <remarks>The peer neither finds added tokens nor normalizes, so it does less.</remarks>
public class TokenizerSuite : ISuite
{
    private string text = "";
    private BpeTokenizer? own;
    private Peer? peer;

    /// <summary>Nothing is multiplied; the bytes are those of the text.</summary>
    public Work Work => new(0, text.Length, IsStreaming: true, 1);

    /// <summary>Reads the tokenizer and the text, the project's documentation.</summary>
    [GlobalSetup]
    public void Setup()
    {
        string root = Repository.Root, file = Repository.Tokenizer;
        text = string.Concat(Directory.GetFiles(Path.Combine(root, "docs"), "*.md").Append(Path.Combine(root, "README.md")).Order(StringComparer.Ordinal).Select(File.ReadAllText));
        own = BpeTokenizer.Load(file);
        TokenizerParts parts = TokenizerFile.Read(file, null);
        peer = Peer.Create(new BpeOptions(parts.Vocabulary.ToDictionary(StringComparer.Ordinal))
        {
            ByteLevel = true,
            Merges = parts.Merges.Select(TokenizerMerge.Join),
            PreTokenizer = RobertaPreTokenizer.Instance,
        });
    }

    /// <summary>This library.</summary>
    [Benchmark]
    public int[] Own() => own!.Encode(text);

    /// <summary>Microsoft.ML.Tokenizers.</summary>
    [Benchmark(Baseline = true)]
    public IReadOnlyList<int> MicrosoftTokenizers() => peer!.EncodeToIds(text);
}

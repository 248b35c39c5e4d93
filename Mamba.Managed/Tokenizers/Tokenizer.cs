using System.Buffers;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tokenizers;

/// <summary>Turns text into the token ids of a model and back.</summary>
/// <remarks>A tokenizer never changes after it was made; any number of threads may use it at once.</remarks>
public abstract class Tokenizer
{
    internal const string FileName = "tokenizer.json";
    private const int ByteVocabulary = 256;

    /// <summary>What kind this is, as <c>bytes</c> or <c>bpe</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One more than the largest id. A model's own vocabulary may be larger by padding.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The token that ends a text, and from which an empty prompt starts; null where there is none.</summary>
    public abstract int? EndTokenId { get; }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <returns>[tokens]; empty for an empty text.</returns>
    public abstract int[] Encode(string text);

    /// <summary>The UTF-8 bytes that a token stands for; a character may be spread over several tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such token.</exception>
    public abstract ReadOnlySpan<byte> BytesOf(int token);

    /// <summary>The bytes that tokens stand for, one token after the other.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> tokens)
    {
        ArrayBufferWriter<byte> bytes = new(Math.Max(16, tokens.Length));
        foreach (int token in tokens)
        {
            bytes.Write(BytesOf(token));
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The text that tokens stand for; bytes that are not UTF-8 become U+FFFD.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is out of range.</exception>
    public string Decode(ReadOnlySpan<int> tokens) => Encoding.UTF8.GetString(DecodeBytes(tokens));

    /// <summary>The tokenizer of a model, as of <see cref="Load(string, MambaConfig)"/>, by the configuration that is beside it; no weights are needed.</summary>
    /// <param name="model">The model folder or the GGUF file.</param>
    /// <exception cref="FileNotFoundException">
    /// There is no such folder or file; or the folder has no <c>config.json</c>, or no <c>tokenizer.json</c> where the vocabulary is not 256.
    /// </exception>
    /// <exception cref="InvalidDataException">As of the other; or the configuration is malformed.</exception>
    public static Tokenizer Load(string model)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        return Load(model, ModelConversion.ReadConfig(model));
    }

    /// <summary>The tokenizer of a model: the <c>tokenizer.json</c> of its folder, or what its GGUF file carries; bytes where neither has one and the vocabulary is 256.</summary>
    /// <param name="model">The model folder or the GGUF file.</param>
    /// <param name="config">The model's configuration.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>tokenizer.json</c> and the vocabulary is not 256.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, of a kind that is not supported, carries no tokenizer, or names more tokens than the model has.</exception>
    public static Tokenizer Load(string model, MambaConfig config)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentNullException.ThrowIfNull(config);
        Tokenizer tokenizer = File.Exists(model) ? LoadGguf(model, config) : LoadFolder(model, config);
        return tokenizer.VocabularySize <= config.VocabSize
            ? tokenizer
            : throw new InvalidDataException(
                Throw.Invariant($"{model}: expected token ids below the model's vocabulary of {config.VocabSize}, found {tokenizer.VocabularySize - 1}"));
    }

    /// <summary>The tokenizer that a GGUF file carries: bytes, or byte-level BPE.</summary>
    /// <param name="vocabulary">As the file's metadata hold it.</param>
    /// <exception cref="InvalidDataException">The tokenizer is of a kind that is not supported, or contradicts itself.</exception>
    public static Tokenizer FromGguf(GgufVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return vocabulary.IsBytes ? new ByteTokenizer() : TokenizerParts.FromGguf(vocabulary).ToTokenizer();
    }

    /// <summary>One line: the kind and the number of tokens.</summary>
    public override string ToString() => Throw.Invariant($"{Name}, {VocabularySize} tokens");

    private static Tokenizer LoadGguf(string path, MambaConfig config) =>
        GgufVocabulary.Read(GgufFile.Open(path).Metadata) is { } vocabulary ? FromGguf(vocabulary)
        : config.VocabSize == ByteVocabulary ? new ByteTokenizer()
        : throw new InvalidDataException($"{path}: expected a tokenizer in the file, found none; convert the model again with its tokenizer");

    private static Tokenizer LoadFolder(string folder, MambaConfig config)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a model folder or a GGUF file, found neither");
        }

        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? TokenizerFile.Read(path, config.EndTokenId).ToTokenizer()
            : config.VocabSize == ByteVocabulary ? new ByteTokenizer()
            : throw new FileNotFoundException(
                Throw.Invariant($"{path}: expected this file, as a vocabulary of {config.VocabSize} is not that of bytes ({ByteVocabulary}); add it to the folder"));
    }

    private protected void CheckToken(int token)
    {
        if ((uint)token >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(token), token, Throw.Invariant($"expected token ids from 0 to {VocabularySize - 1}"));
        }
    }
}

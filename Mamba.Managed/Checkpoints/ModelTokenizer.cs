using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>The tokenizers of models: the <c>tokenizer.json</c> of a folder, or that of a GGUF file.</summary>
/// <remarks><see cref="ModelSource.Tokenizer"/> is that of an opened model.</remarks>
internal static class ModelTokenizer
{
    internal const string FileName = "tokenizer.json";
    

    /// <summary>The tokenizer in a folder; bytes if there is none and the vocabulary is 256.</summary>
    /// <param name="folder">It may be without configuration and weights.</param>
    /// <param name="config">The configuration of the model that will read the tokens.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>tokenizer.json</c> and the vocabulary is not 256.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, not supported, or has more tokens than the model.</exception>
    public static Tokenizer Load(string folder, MambaConfig config)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a model folder, found none");
        }

        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? Fitting(folder, TokenizerFile.Read(path, config.EndTokenId is { } end ? [end] : null).ToTokenizer(), config)
            : config.VocabSize == ByteTokenizer.Size ? new ByteTokenizer()
            : throw new FileNotFoundException(
                Throw.Invariant($"{path}: expected this file, as a vocabulary of {config.VocabSize} is not that of bytes ({ByteTokenizer.Size}); add it to the folder"));
    }

    /// <summary>The tokenizer in a folder or a GGUF file, of any model; null if there is none.</summary>
    /// <param name="path">It may be without configuration and weights.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or the tokenizer is not supported.</exception>
    public static Tokenizer? Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string json = Path.Combine(path, FileName);
        if (File.Exists(json))
        {
            return BpeTokenizer.Load(json);
        }

        if (!File.Exists(path))
        {
            return null;
        }

        using GgufFile file = GgufFile.Open(path);
        return GgufVocabulary.Read(file.Metadata)?.ToTokenizer();
    }

    /// <summary>The tokenizer of a GGUF file; bytes if there is none and the vocabulary is 256.</summary>
    internal static Tokenizer Of(string path, GgufMetadata metadata, MambaConfig config) =>
        GgufVocabulary.Read(metadata) is { } vocabulary ? Fitting(path, vocabulary.ToTokenizer(), config)
        : config.VocabSize == ByteTokenizer.Size ? new ByteTokenizer()
        : throw new InvalidDataException($"{path}: expected a tokenizer in the file, found none; convert the model again with its tokenizer");

    private static Tokenizer Fitting(string path, Tokenizer tokenizer, MambaConfig config) => tokenizer.VocabularySize <= config.VocabSize
        ? tokenizer
        : throw new InvalidDataException(
            Throw.Invariant($"{path}: expected token ids below the model's vocabulary of {config.VocabSize}, found {tokenizer.VocabularySize - 1}"));
}

using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>The tokenizers of models: the <c>tokenizer.json</c> of a folder, or what a GGUF file carries.</summary>
/// <remarks><see cref="ModelSource"/> gives that of a whole model.</remarks>
internal static class ModelTokenizer
{
    internal const string FileName = "tokenizer.json";
    private const int ByteVocabulary = 256;

    /// <summary>The tokenizer in a folder; bytes where there is none and the vocabulary is 256.</summary>
    /// <param name="folder">Needs neither configuration nor weights.</param>
    /// <param name="config">The configuration of the model that will read the tokens.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>tokenizer.json</c> and the vocabulary is not 256.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, of a kind that is not supported, or names more tokens than the model has.</exception>
    public static Tokenizer Load(string folder, MambaConfig config)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a model folder, found none");
        }

        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? Fitting(folder, TokenizerFile.Read(path, config.EndTokenId).ToTokenizer(), config)
            : config.VocabSize == ByteVocabulary ? new ByteTokenizer()
            : throw new FileNotFoundException(
                Throw.Invariant($"{path}: expected this file, as a vocabulary of {config.VocabSize} is not that of bytes ({ByteVocabulary}); add it to the folder"));
    }

    /// <summary>The tokenizer that a folder or a GGUF file holds, whatever model it may be of; null where it holds none.</summary>
    /// <param name="path">Needs neither configuration nor weights.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or the tokenizer of a kind that is not supported.</exception>
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

    /// <summary>The tokenizer that a GGUF file carries; bytes where there is none and the vocabulary is 256.</summary>
    internal static Tokenizer Of(string path, GgufMetadata metadata, MambaConfig config) =>
        GgufVocabulary.Read(metadata) is { } vocabulary ? Fitting(path, vocabulary.ToTokenizer(), config)
        : config.VocabSize == ByteVocabulary ? new ByteTokenizer()
        : throw new InvalidDataException($"{path}: expected a tokenizer in the file, found none; convert the model again with its tokenizer");

    private static Tokenizer Fitting(string path, Tokenizer tokenizer, MambaConfig config) => tokenizer.VocabularySize <= config.VocabSize
        ? tokenizer
        : throw new InvalidDataException(
            Throw.Invariant($"{path}: expected token ids below the model's vocabulary of {config.VocabSize}, found {tokenizer.VocabularySize - 1}"));
}

using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>The tokenizers of models: the <c>tokenizer.json</c> of a folder or else its <c>tokenizer.model</c>, or that of a GGUF file.</summary>
/// <remarks><see cref="ModelSource.Tokenizer"/> is that of an opened model.</remarks>
internal static class ModelTokenizer
{
    internal const string FileName = "tokenizer.json";

    /// <summary>The tokenizer in a folder; bytes if there is none and the vocabulary is 256.</summary>
    /// <param name="folder">It may be without configuration and weights.</param>
    /// <param name="config">The configuration of the model that will read the tokens.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer and the vocabulary is not 256.</exception>
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
        return IsIn(folder) ? Fitting(folder, OfFolder(folder, config), config)
            : config.VocabSize == ByteTokenizer.Size ? OfBytes(FolderTokens.Ends(folder, config))
            : throw new FileNotFoundException(
                Throw.Invariant($"{path}: expected this file, as a vocabulary of {config.VocabSize} is not that of bytes ({ByteTokenizer.Size}); add it to the folder"));
    }

    /// <summary>The tokenizer in a folder or a GGUF file, of any model; null if there is none.</summary>
    /// <param name="path">It may be without configuration and weights.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or the tokenizer is not supported.</exception>
    public static Tokenizer? Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (IsIn(path))
        {
            return OfFolder(path, null);
        }

        if (!File.Exists(path))
        {
            return null;
        }

        using GgufFile file = GgufFile.Open(path);
        return OfFile(path, file.Metadata);
    }

    /// <summary>Whether a folder has the file of a tokenizer.</summary>
    internal static bool IsIn(string folder) => File.Exists(Path.Combine(folder, FileName)) || File.Exists(Path.Combine(folder, SentencePieceFile.Name));

    /// <summary>The parts of a folder's tokenizer, with all that the files beside it say.</summary>
    /// <param name="folder">It has a tokenizer, see <see cref="IsIn"/>.</param>
    /// <param name="config">The model's configuration, where the folder may be without one.</param>
    internal static (TokenizerParts Parts, FolderTokens Beside) PartsOfFolder(string folder, MambaConfig? config)
    {
        FolderTokens beside = FolderTokens.Read(folder);
        string json = Path.Combine(folder, FileName);

        // Whoever reads tokenizer.model, as transformers' LlamaTokenizer, adds the token that begins a text unless told otherwise.
        TokenizerParts parts = File.Exists(json)
            ? TokenizerFile.Read(json, null)
            : SentencePieceFile.Read(Path.Combine(folder, SentencePieceFile.Name), beside.Adds("add_bos_token") ?? true, beside.Adds("add_eos_token") ?? false);
        return (beside.Complete(parts, config), beside);
    }

    /// <summary>The tokenizer of a GGUF file; bytes if there is none and the vocabulary is 256.</summary>
    internal static Tokenizer Of(string path, GgufMetadata metadata, MambaConfig config) =>
        OfFile(path, metadata) is { } tokenizer ? Fitting(path, tokenizer, config)
        : config.VocabSize == ByteTokenizer.Size ? OfBytes([.. config.EndTokenIds.Select(id => new NamedToken($"{path}: tokenizer.ggml.eos_token_id", id))])
        : throw new InvalidDataException($"{path}: expected a tokenizer in the file, found none; convert the model again with its tokenizer");

    private static Tokenizer OfFolder(string folder, MambaConfig? config)
    {
        (TokenizerParts parts, FolderTokens beside) = PartsOfFolder(folder, config);
        try
        {
            Tokenizer tokenizer = parts.ToTokenizer();
            beside.RequireAgreement(parts);
            return tokenizer;
        }
        catch (InvalidDataException error) when (!error.Message.StartsWith(folder, StringComparison.Ordinal))
        {
            string file = File.Exists(Path.Combine(folder, FileName)) ? FileName : SentencePieceFile.Name;
            throw new InvalidDataException($"{Path.Combine(folder, file)}: {error.Message}", error);
        }
    }

    private static Tokenizer? OfFile(string path, GgufMetadata metadata) => UntrustedFile.Named(path, () => GgufVocabulary.Read(metadata)?.ToTokenizer());

    private static ByteTokenizer OfBytes(IReadOnlyList<NamedToken> ends)
    {
        foreach (NamedToken end in ends)
        {
            Throw.Unless(end.Id is >= 0 and < ByteTokenizer.Size, $"{end.Where}: expected a byte, as the model reads bytes, found {end.Id}");
        }

        return ByteTokenizer.EndingWith(ends.Select(end => (int)end.Id));
    }

    private static Tokenizer Fitting(string path, Tokenizer tokenizer, MambaConfig config) => tokenizer.VocabularySize <= config.VocabSize
        ? tokenizer
        : throw new InvalidDataException(
            Throw.Invariant($"{path}: expected token ids below the model's vocabulary of {config.VocabSize}, found {tokenizer.VocabularySize - 1}"));
}

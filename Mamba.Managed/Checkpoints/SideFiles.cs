using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>What lies beside the weights of a model in a folder, and goes with them into another one.</summary>
internal static class SideFiles
{
    /// <summary>The files that belong to the tokenizer and to generation. A folder has those of one model: what its source lacks is removed.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        ModelTokenizer.FileName, FolderTokens.TokenizerConfig, FolderTokens.SpecialTokens, FolderTokens.GenerationConfig, "added_tokens.json",
        ChatTemplates.File, ChatTemplates.OlderFile, "vocab.json", "merges.txt", SentencePieceFile.Name,
    ];

    // Texts for people: copied where the source has them, and never removed, as they may be the reader's own.
    private static readonly string[] documents = ["README", "LICENSE", "LICENCE", "NOTICE", "COPYING", "USE_POLICY"];

    /// <summary>Copies the files beside the weights from folder to folder.</summary>
    /// <param name="source">The folder of the model.</param>
    /// <param name="destination">The folder of the copy, which exists.</param>
    /// <param name="withDocuments">Whether texts for people are copied too.</param>
    /// <exception cref="InvalidDataException">A file is none, for example a pipe; nothing was copied then.</exception>
    public static void Copy(string source, string destination, bool withDocuments)
    {
        if (AreOne(source, destination))
        {
            return;
        }

        List<(string Name, FileStream File)> opened = [];
        try
        {
            foreach (string name in Names.Concat(withDocuments ? Documents(source) : []).Where(name => File.Exists(Path.Combine(source, name))))
            {
                opened.Add((name, UntrustedFile.Open(Path.Combine(source, name))));
            }

            foreach ((string name, FileStream file) in opened)
            {
                AtomicFile.Write(Path.Combine(destination, name), file.CopyTo);
            }
        }
        finally
        {
            opened.ForEach(entry => entry.File.Dispose());
        }

        RemoveOthers(destination, [.. opened.Select(entry => entry.Name)]);
    }

    /// <summary>Removes the files of a model that was in a folder before: they would be taken for those of the present one.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="kept">The names of the present model's files.</param>
    public static void RemoveOthers(string folder, IReadOnlyCollection<string> kept)
    {
        foreach (string name in Names.Where(name => !kept.Contains(name)))
        {
            File.Delete(Path.Combine(folder, name));
        }
    }

    /// <summary>What a folder has and its copy has not: no weights, which are converted, and nothing whose name begins with a dot.</summary>
    /// <param name="source">The folder of the model.</param>
    /// <param name="carried">The names that were carried along.</param>
    /// <returns>Names, those of folders with a slash at the end; a dozen at most and then how many more.</returns>
    public static IReadOnlyList<string> LeftBehind(string source, IEnumerable<string> carried)
    {
        HashSet<string> known = [.. carried, ConfigFile.Name];
        IEnumerable<string> names = Directory.EnumerateFileSystemEntries(source)
            .Select(path => Path.GetFileName(path) + (Directory.Exists(path) ? "/" : ""))
            .Where(name => !known.Contains(name) && !name.StartsWith('.') && !IsWeights(name));
        return Shortened.Items(names.Order(StringComparer.Ordinal));
    }

    /// <summary>The texts for people in a folder.</summary>
    public static IEnumerable<string> Documents(string folder) => Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path))
        .Where(name => documents.Any(document => Path.GetFileNameWithoutExtension(name).Equals(document, StringComparison.OrdinalIgnoreCase)));

    /// <summary>Whether two paths name one folder.</summary>
    public static bool AreOne(string source, string destination) => Whole(source) == Whole(destination);

    private static string Whole(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    // Weights in one of the forms that are read, of which a folder may have several.
    private static bool IsWeights(string name) =>
        (name.StartsWith("model", StringComparison.Ordinal) && name.Contains(".safetensors", StringComparison.Ordinal))
        || (name.StartsWith("pytorch_model", StringComparison.Ordinal) && name.Contains(".bin", StringComparison.Ordinal));
}

using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Training;

/// <summary>The result of reading a file of documents.</summary>
/// <param name="Documents">The documents.</param>
/// <param name="BadLines">The number of malformed lines, or documents of a JSON array, which were left out.</param>
/// <param name="FirstBad">The first of them, each with its number and the error.</param>
public sealed record DocumentReport(TokenDocuments Documents, int BadLines, IReadOnlyList<string> FirstBad);

/// <summary>Reads documents from text, JSON and token files through a tokenizer; every id is checked against the vocabulary.</summary>
public static class DocumentReader
{
    private const int MostInError = 3;

    /// <summary>
    /// Reads a file by its extension: <c>.jsonl</c>, <c>.ndjson</c> and <c>.json</c> (a document on each line, an array of them, or one), <c>.tokens</c>, anything
    /// else as one text.
    /// </summary>
    /// <param name="path">The file; texts in UTF-8, a byte-order mark is skipped.</param>
    /// <param name="tokenizer">Encodes texts.</param>
    /// <param name="options">The vocabulary, and whether documents end with an end token; null for the tokenizer's vocabulary and end tokens.</param>
    /// <param name="cancellationToken">Checked between documents.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file holds no document, is damaged, or is a token file with ids outside of the vocabulary.</exception>
    public static DocumentReport Read(string path, Tokenizer tokenizer, DocumentOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfNegative(options.VocabularySize, nameof(options));
        int vocabulary = options.VocabularySize > 0 ? options.VocabularySize : tokenizer.VocabularySize;
        return Read(path, new DocumentEncoder(tokenizer.Encode, vocabulary, options.EndDocuments ? tokenizer.EndTokenIds : []), cancellationToken);
    }

    /// <summary>Reads a file through an encoder of one's own; documents end as it says, and ids are any that are not negative.</summary>
    /// <param name="path">The file.</param>
    /// <param name="encode">Returns the token ids of a text.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file holds no document, or is damaged.</exception>
    public static DocumentReport Read(string path, Func<string, IReadOnlyList<int>> encode)
    {
        ArgumentNullException.ThrowIfNull(encode);
        return Read(path, new DocumentEncoder(encode, int.MaxValue, []), CancellationToken.None);
    }

    private static DocumentReport Read(string path, DocumentEncoder encoder, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        DocumentReport report = Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".JSONL" or ".NDJSON" => ReadJson(path, encoder, true, cancellationToken),
            ".JSON" => ReadJson(path, encoder, false, cancellationToken),
            ".TOKENS" => ReadTokens(path, encoder.VocabularySize),
            _ => ReadText(path, encoder),
        };
        if (report.Documents.TokenCount == 0)
        {
            report.Documents.Dispose();
            string reasons = string.Join("; ", report.FirstBad.DistinctBy(line => line[line.IndexOf(':', StringComparison.Ordinal)..]).Take(MostInError));
            throw new InvalidDataException(Throw.Invariant($"{path}: expected text to train on, found none ({report.BadLines} bad lines{(reasons.Length > 0 ? ": " + reasons : "")})"));
        }

        return report;
    }

    private static DocumentReport ReadText(string path, DocumentEncoder encoder) => UntrustedFile.Read(path, file =>
    {
        Throw.Unless(file.Length <= Array.MaxLength, $"expected at most {Array.MaxLength} bytes of text in one document, found {file.Length}; write JSON lines");
        byte[] text = UntrustedFile.ReadBytes(file, 0, (int)file.Length);
        return new DocumentReport(TokenDocuments.Of([encoder.Encode(Utf8Text.Decode(text))]), 0, []);
    });

    private static DocumentReport ReadJson(string path, DocumentEncoder encoder, bool isLines, CancellationToken cancellationToken) => UntrustedFile.Read(path, file =>
    {
        file.Position = Utf8Text.MarkLength(file);
        return new JsonDocuments(encoder, cancellationToken).Read(file, isLines);
    });

    private static DocumentReport ReadTokens(string path, int vocabularySize)
    {
        TokenDocuments documents = TokenDocuments.Open(path);
        try
        {
            return documents.FirstOutside(vocabularySize) is { } outside
                ? throw new InvalidDataException($"{path}: {outside}")
                : new(documents, 0, []);
        }
        catch
        {
            documents.Dispose();
            throw;
        }
    }
}

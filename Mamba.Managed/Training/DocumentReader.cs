using System.Text;
using System.Text.Json;

namespace Mamba.Managed.Training;

/// <summary>The result of reading a file of documents.</summary>
/// <param name="Documents">The documents.</param>
/// <param name="BadLines">The number of malformed lines, which were left out.</param>
/// <param name="FirstBad">The first of them, each with its number and the error.</param>
public sealed record DocumentReport(TokenDocuments Documents, int BadLines, IReadOnlyList<string> FirstBad);

/// <summary>Reads documents from text, JSON lines and token files through a tokenizer.</summary>
public static class DocumentReader
{
    private const int MostReported = 5;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads a file by its extension: <c>.jsonl</c>, <c>.tokens</c>, anything else as one text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="encode">Returns the token ids of a text.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file holds no document, or is damaged.</exception>
    public static DocumentReport Read(string path, Func<string, IReadOnlyList<int>> encode)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(encode);
        if (Directory.Exists(path))
        {
            throw new FileNotFoundException($"{path}: expected a file of text, JSON lines or tokens, found a folder", path);
        }

        DocumentReport report = Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".JSONL" => ReadLines(path, encode),
            ".TOKENS" => new(TokenDocuments.Open(path), 0, []),
            _ => ReadText(path, encode),
        };
        return report.Documents.TokenCount > 0
            ? report
            : throw new InvalidDataException(Throw.Invariant($"{path}: expected text to train on, found none ({report.BadLines} bad lines)"));
    }

    private static DocumentReport ReadText(string path, Func<string, IReadOnlyList<int>> encode)
    {
        try
        {
            return new(TokenDocuments.Of([[.. encode(Strict.GetString(File.ReadAllBytes(path)))]]), 0, []);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException(Throw.Invariant($"{path}: expected UTF-8 text, found other bytes at {error.Index}"), error);
        }
    }

    // {"text": "..."}, {"tokens": [...]} or a bare string on each line.
    private static DocumentReport ReadLines(string path, Func<string, IReadOnlyList<int>> encode)
    {
        List<int[]> documents = [];
        List<string> reported = [];
        int bad = 0, number = 0;
        foreach (byte[] line in Lines(path))
        {
            number++;
            try
            {
                if (line.AsSpan().Trim(" \t\r"u8).Length > 0)
                {
                    documents.Add(Document(line, encode));
                }
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or InvalidDataException)
            {
                bad++;
                if (reported.Count < MostReported)
                {
                    reported.Add(Throw.Invariant($"line {number}: {error.Message}"));
                }
            }
        }

        return new(TokenDocuments.Of(documents), bad, reported);
    }

    private static int[] Document(byte[] line, Func<string, IReadOnlyList<int>> encode)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        JsonElement root = json.RootElement;
        if (root.ValueKind == JsonValueKind.String)
        {
            return [.. encode(root.GetString()!)];
        }

        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)
        {
            return [.. encode(text.GetString()!)];
        }

        return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("tokens", out JsonElement tokens) && tokens.ValueKind == JsonValueKind.Array
            ? [.. tokens.EnumerateArray().Select(token => token.GetInt32())]
            : throw new InvalidDataException("expected a string, or an object with \"text\" or \"tokens\"");
    }

    private static IEnumerable<byte[]> Lines(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        byte[] part = new byte[1 << 16];
        List<byte> line = [];
        for (int read; (read = stream.Read(part)) > 0;)
        {
            int start = 0;
            for (int end; (end = Array.IndexOf(part, (byte)'\n', start, read - start)) >= 0; start = end + 1)
            {
                line.AddRange(part.AsSpan(start, end - start));
                yield return [.. line];
                line.Clear();
            }

            line.AddRange(part.AsSpan(start, read - start));
        }

        if (line.Count > 0)
        {
            yield return [.. line];
        }
    }
}

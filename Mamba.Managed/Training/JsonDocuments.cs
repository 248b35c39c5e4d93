using System.Text.Json;
using System.Text.Unicode;

namespace Mamba.Managed.Training;

/// <summary>Documents in JSON: one on each line, or all in one array, or a single one.</summary>
/// <remarks>A document is a string, <c>{"text": "..."}</c> or <c>{"tokens": [...]}</c>. One that is malformed is left out and reported.</remarks>
internal sealed class JsonDocuments(DocumentEncoder encoder, CancellationToken cancellationToken)
{
    private const int MostReported = 5;
    private const int MostNames = 6;
    private const int MostExcerpt = 60;

    private readonly List<int[]> documents = [];
    private readonly List<string> reported = [];
    private int bad;

    /// <summary>Reads a file from where it stands to its end.</summary>
    /// <param name="file">After its byte-order mark.</param>
    /// <param name="isLines">Whether a file that is malformed as a whole has lines that may be right.</param>
    /// <exception cref="InvalidDataException">The file is malformed as a whole.</exception>
    public DocumentReport Read(FileStream file, bool isLines)
    {
        long start = file.Position;
        byte first = FirstByte(file);
        file.Position = start;
        bool isWhole = first == '[' || (first == '{' && !IsJson(Lines(file).First(line => !IsBlank(line))));
        file.Position = start;
        if (!isWhole || !TryReadWhole(file, isLines || first == '{'))
        {
            file.Position = start;
            ReadLines(file);
        }

        return new(TokenDocuments.Of(documents), bad, reported);
    }

    private bool TryReadWhole(FileStream file, bool mayFail)
    {
        if (file.Length > Array.MaxLength)
        {
            return mayFail ? false : throw new InvalidDataException(Throw.Invariant($"expected at most {Array.MaxLength} bytes of JSON in one piece, found {file.Length}; write one document on each line"));
        }

        byte[] bytes = new byte[file.Length - file.Position];
        file.ReadExactly(bytes);
        try
        {
            using JsonDocument json = JsonDocument.Parse(bytes);
            IEnumerable<JsonElement> all = json.RootElement.ValueKind == JsonValueKind.Array ? json.RootElement.EnumerateArray() : [json.RootElement];
            int number = 0;
            foreach (JsonElement element in all)
            {
                Add("document", ++number, () => Document(element));
            }

            return true;
        }
        catch (JsonException error)
        {
            return mayFail ? false : throw new InvalidDataException(Throw.Invariant($"expected a JSON array of documents, found in line {error.LineNumber + 1}: {Reason(error)}"), error);
        }
    }

    private void ReadLines(FileStream file)
    {
        int number = 0;
        foreach (byte[] line in Lines(file))
        {
            number++;
            if (!IsBlank(line))
            {
                Add("line", number, () => Document(line));
            }
        }
    }

    private void Add(string what, int number, Func<int[]> document)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            documents.Add(document());
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or InvalidDataException)
        {
            bad++;
            if (reported.Count < MostReported)
            {
                reported.Add(Throw.Invariant($"{what} {number}: {Reason(error)}"));
            }
        }
    }

    private int[] Document(byte[] whole)
    {
        // Files that were joined have marks in their middle.
        ReadOnlyMemory<byte> line = whole.AsMemory(whole.AsSpan().StartsWith(Utf8Text.Mark) ? Utf8Text.Mark.Length : 0);
        Throw.Unless(Utf8.IsValid(line.Span), $"expected text in UTF-8, found other bytes");
        using JsonDocument json = JsonDocument.Parse(line);
        return Document(json.RootElement);
    }

    private int[] Document(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.String)
        {
            return encoder.Encode(root.GetString()!);
        }

        JsonElement tokens = default;
        bool hasTokens = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("tokens", out tokens);
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("text", out JsonElement text) && !(hasTokens && text.ValueKind == JsonValueKind.Null))
        {
            Throw.Unless(text.ValueKind == JsonValueKind.String, $"text: expected a string, found {Excerpt(text)}");
            return encoder.Encode(text.GetString()!);
        }

        if (hasTokens)
        {
            Throw.Unless(tokens.ValueKind == JsonValueKind.Array, $"tokens: expected an array of token ids, found {Excerpt(tokens)}");
            return encoder.Checked([.. tokens.EnumerateArray().Select(Id)]);
        }

        throw new InvalidDataException($"expected a string, or an object with \"text\" or \"tokens\"; found {Kind(root)}");
    }

    private static int Id(JsonElement token)
    {
        int id = 0;
        Throw.Unless(token.ValueKind == JsonValueKind.Number && token.TryGetInt32(out id), $"tokens: expected whole numbers below 2^31, found {Excerpt(token)}");
        return id;
    }

    private static string Kind(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            return Excerpt(root);
        }

        string[] names = [.. root.EnumerateObject().Select(field => field.Name).Take(MostNames + 1)];
        string list = names.Length == 0 ? "an empty one" : "one with " + string.Join(", ", names.Take(MostNames).Select(name => $"\"{Shorten(name)}\"")) + (names.Length > MostNames ? ", ..." : "");
        bool isChat = names.Any(name => name is "messages" or "conversations");
        return isChat ? $"{list}: chat data, of which each conversation must be written as one \"text\"" : list;
    }

    private static string Excerpt(JsonElement value) => Shorten(value.GetRawText());

    private static string Shorten(string text) => text.Length <= MostExcerpt ? text : text[..MostExcerpt] + "...";

    // The JSON reader's message ends with a line number that counts from the text it was given.
    private static string Reason(Exception error) => error switch
    {
        JsonException json => Throw.Invariant($"expected JSON: {json.Message.Split(" LineNumber:")[0].Split(" Path:")[0]} (at byte {json.BytePositionInLine})"),
        InvalidOperationException => "expected text, found bytes or half a surrogate pair that are none",
        _ => error.Message,
    };

    private static bool IsJson(byte[] line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.Trim(" \t\r"u8).IsEmpty;

    private static byte FirstByte(FileStream file)
    {
        byte[] part = new byte[1 << 12];
        for (int read; (read = file.Read(part)) > 0;)
        {
            ReadOnlySpan<byte> rest = part.AsSpan(0, read).TrimStart(" \t\r\n"u8);
            if (!rest.IsEmpty)
            {
                return rest[0];
            }
        }

        return 0;
    }

    private static IEnumerable<byte[]> Lines(FileStream file)
    {
        byte[] part = new byte[1 << 16];
        List<byte> line = [];
        for (int read; (read = file.Read(part)) > 0;)
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

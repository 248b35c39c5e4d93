namespace Mamba.Managed.Training;

/// <summary>Documents in a shuffled order, concatenated to one line of tokens that can be cut anywhere.</summary>
internal sealed class DocumentLine
{
    private readonly TokenDocuments documents;
    private readonly (long From, long To)[] parts;
    private readonly long[] starts;

    /// <summary>Concatenates the documents between two tokens.</summary>
    /// <param name="documents">All documents.</param>
    /// <param name="from">The first token; the part of its document before it is left out.</param>
    /// <param name="to">End of the tokens.</param>
    /// <param name="random">Shuffles; null keeps the order.</param>
    public DocumentLine(TokenDocuments documents, long from, long to, SeededRandom? random)
    {
        this.documents = documents;
        parts = [.. Enumerable.Range(0, documents.Count)
            .Select(i => (From: Math.Max(documents.Start(i), from), To: Math.Min(documents.Start(i + 1), to)))
            .Where(part => part.From < part.To)];
        random?.Shuffle(parts);
        starts = new long[parts.Length + 1];
        for (int i = 0; i < parts.Length; i++)
        {
            starts[i + 1] = starts[i] + parts[i].To - parts[i].From;
        }
    }

    /// <summary>Tokens of the line.</summary>
    public long Length => starts[^1];

    /// <summary>Whether a document begins at a place.</summary>
    public bool IsStart(long at) => Array.BinarySearch(starts, at) >= 0;

    /// <summary>Cuts a window: the target of a token is the next token of its document; the last token of a document has none.</summary>
    /// <param name="start">The first token.</param>
    /// <param name="tokens">[length]</param>
    /// <param name="targets">[length]</param>
    /// <param name="lengths">Receives the length of each document's part.</param>
    public void Cut(long start, Span<int> tokens, Span<int> targets, List<int> lengths)
    {
        int found = Array.BinarySearch(starts, start);
        int part = found >= 0 ? found : ~found - 1;
        for (int row = 0; row < tokens.Length; part++)
        {
            long from = parts[part].From + (start + row - starts[part]);
            int count = (int)Math.Min(tokens.Length - row, parts[part].To - from);
            documents.CopyTo(from, tokens.Slice(row, count));
            int next = (int)Math.Min(count, parts[part].To - from - 1);
            documents.CopyTo(from + 1, targets.Slice(row, next));
            targets[(row + next)..(row + count)].Fill(TrainingBatch.NoTarget);
            lengths.Add(count);
            row += count;
        }
    }
}

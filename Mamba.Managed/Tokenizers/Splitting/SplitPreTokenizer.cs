namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Cuts pieces at the matches of an expression.</summary>
/// <param name="pattern">The expression.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">Whether the texts between the matches take the place of the matches.</param>
internal sealed class SplitPreTokenizer(CodePointRegex pattern, SplitBehavior behavior, bool invert = false) : PreTokenizer
{
    /// <inheritdoc/>
    public override List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, ref bool isStart)
    {
        List<ReadOnlyMemory<char>> cut = new(pieces.Count);
        List<(int Start, int End)> matches = [];
        List<(int Start, int End, bool IsMatch)> parts = [];
        for (int i = 0; i < pieces.Count; i++)
        {
            matches.Clear();
            pattern.FindAll(pieces[i].Span, matches);
            bool hasFirst = true;
            cut.EnsureCapacity(cut.Count + matches.Count + pieces.Count - i);
            if (behavior == SplitBehavior.Isolated)
            {
                AddAll(pieces[i], matches, cut);
            }
            else
            {
                Divide(pieces[i].Length, matches, parts);
                hasFirst = AddMerged(pieces[i], parts, cut);
            }

            isStart &= i > 0 || hasFirst;
        }

        return cut;
    }

    // Matches and what lies between them, each a piece.
    private static void AddAll(ReadOnlyMemory<char> piece, List<(int Start, int End)> matches, List<ReadOnlyMemory<char>> cut)
    {
        int last = 0;
        foreach ((int start, int end) in matches)
        {
            AddPart(piece, last, start, cut);
            AddPart(piece, start, end, cut);
            last = end;
        }

        AddPart(piece, last, piece.Length, cut);
    }

    private static void AddPart(ReadOnlyMemory<char> piece, int start, int end, List<ReadOnlyMemory<char>> cut)
    {
        if (end > start)
        {
            cut.Add(piece[start..end]);
        }
    }

    private void Divide(int length, List<(int Start, int End)> matches, List<(int Start, int End, bool IsMatch)> parts)
    {
        parts.Clear();
        int last = 0;
        foreach ((int start, int end) in matches)
        {
            if (start > last)
            {
                parts.Add((last, start, invert));
            }

            parts.Add((start, end, !invert));
            last = end;
        }

        if (length > last)
        {
            parts.Add((last, length, invert));
        }
    }

    // Whether the beginning of the piece is still there.
    private bool AddMerged(ReadOnlyMemory<char> piece, List<(int Start, int End, bool IsMatch)> parts, List<ReadOnlyMemory<char>> cut)
    {
        int before = cut.Count, from = 0;
        for (int i = 0; i < parts.Count; i++)
        {
            bool endsHere = i == parts.Count - 1 || behavior switch
            {
                SplitBehavior.MergedWithPrevious => parts[i].IsMatch || !parts[i + 1].IsMatch,
                SplitBehavior.MergedWithNext => !parts[i].IsMatch || parts[i + 1].IsMatch,
                SplitBehavior.Contiguous => parts[i].IsMatch != parts[i + 1].IsMatch,
                _ => true,
            };
            if (endsHere)
            {
                if (behavior != SplitBehavior.Removed || !parts[i].IsMatch)
                {
                    AddPart(piece, from, parts[i].End, cut);
                }

                from = parts[i].End;
            }
        }

        return behavior != SplitBehavior.Removed || (cut.Count > before && parts.Find(part => part.End > 0) is { IsMatch: false });
    }
}

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>When a mark for a space is put before a piece that has none.</summary>
internal enum PrependScheme
{
    /// <summary>Before every piece.</summary>
    Always,

    /// <summary>Before no piece.</summary>
    Never,

    /// <summary>Before the piece at the very start of the text.</summary>
    First,
}

/// <summary>Puts a mark, as a rule U+2581, in place of spaces, and cuts before each.</summary>
internal sealed class MetaspacePreTokenizer(string mark, PrependScheme scheme, bool split) : PreTokenizer
{
    private readonly SplitPreTokenizer cutter = new(CodePointRegex.Literal(mark), SplitBehavior.MergedWithNext);

    /// <inheritdoc/>
    public override List<ReadOnlyMemory<char>> Cut(List<ReadOnlyMemory<char>> pieces, ref bool isStart)
    {
        List<ReadOnlyMemory<char>> marked = new(pieces.Count);
        for (int i = 0; i < pieces.Count; i++)
        {
            string text = pieces[i].ToString().Replace(" ", mark, StringComparison.Ordinal);
            bool prepends = scheme == PrependScheme.Always || (scheme == PrependScheme.First && i == 0 && isStart);
            marked.Add((prepends && !text.StartsWith(mark, StringComparison.Ordinal) ? mark + text : text).AsMemory());
        }

        return split ? cutter.Cut(marked, ref isStart) : marked;
    }
}

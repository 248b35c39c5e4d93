namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>What became of the choices that have been tried at the positions of a text, so that none is tried twice.</summary>
/// <remarks>An expression has no captures, so that a choice at a position leads to the same end from every beginning of a match.</remarks>
internal sealed class RegexMemo
{
    private const int PageShift = 15, PageBits = 1 << PageShift;
    private const int MostPages = (512 << 20) / (PageBits / 8), MostEnds = 16 << 20;

    private readonly Dictionary<(int Choice, int Page), ulong[]> failures = [];
    private readonly Dictionary<(int Choice, int At), int> ends = [];

    /// <summary>Whether a choice has led to no match at a position.</summary>
    public bool HasFailed(int choice, int at) =>
        failures.TryGetValue((choice, at >> PageShift), out ulong[]? page) && (page[(at & (PageBits - 1)) >> 6] >> (at & 63) & 1) != 0;

    public void Fail(int choice, int at)
    {
        if (!failures.TryGetValue((choice, at >> PageShift), out ulong[]? page))
        {
            Check(failures.Count < MostPages);
            failures.Add((choice, at >> PageShift), page = new ulong[PageBits / 64]);
        }

        page[(at & (PageBits - 1)) >> 6] |= 1UL << (at & 63);
    }

    /// <summary>Where the match ends to which a choice within a group or a condition has led; -1 where that is not known.</summary>
    public int EndOf(int choice, int at) => ends.GetValueOrDefault((choice, at), -1);

    public void End(int choice, int at, int end)
    {
        Check(ends.Count < MostEnds);
        ends[(choice, at)] = end;
    }

    private static void Check(bool hasRoom) => Throw.Unless(hasRoom, $"regular expression: expected a text on which it takes fewer steps back; encode the text in parts");
}

using System.Text;

namespace Mamba.Managed.Grammars;

/// <summary>Writes a set of characters as edges of UTF-8 bytes between two states.</summary>
/// <remarks>
/// The usual splitting: ranges are cut where the number of bytes changes, and then until all bytes after the first that differ are the whole
/// range 80 to BF. States that read only such bytes are shared.
/// </remarks>
internal sealed class Utf8Edges(RuleBuilder rule, int from, int to)
{
    private static readonly int[] LastOfLength = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF];

    // The state from which so many bytes of any value still follow.
    private readonly int[] rest = [to, -1, -1, -1];

    /// <summary>Adds the edges of every character of a set.</summary>
    public void Add(CodePointSet set)
    {
        foreach ((int first, int last) in set.Ranges)
        {
            int start = first;
            for (int length = 1; length <= LastOfLength.Length; length++)
            {
                int end = Math.Min(last, LastOfLength[length - 1]);
                if (start <= end)
                {
                    Cut(start, end, length);
                    start = end + 1;
                }
            }
        }
    }

    // Each pass takes the largest block that begins at the start and shares all but its last bytes.
    private void Cut(int first, int last, int length)
    {
        while (first <= last)
        {
            int free = 0;
            while (free < length - 1 && (first & ((1 << (6 * (free + 1))) - 1)) == 0 && first + (1 << (6 * (free + 1))) - 1 <= last)
            {
                free++;
            }

            int block = 1 << (6 * free);
            int most = Math.Min(63 - ((first >> (6 * free)) & 63), ((last + 1 - first) / block) - 1);
            if (free == length - 1)
            {
                most = ((last + 1 - first) / block) - 1;
            }

            int end = first + ((most + 1) * block) - 1;
            Write(first, end, length, free);
            first = end + 1;
        }
    }

    private void Write(int first, int last, int length, int free)
    {
        Span<byte> low = stackalloc byte[4], high = stackalloc byte[4];
        _ = new Rune(first).EncodeToUtf8(low);
        _ = new Rune(last).EncodeToUtf8(high);
        int state = from;
        for (int at = 0; at < length - free - 1; at++)
        {
            int next = rule.AddState();
            rule.AddBytes(state, low[at], low[at], next);
            state = next;
        }

        int different = length - free - 1;
        rule.AddBytes(state, low[different], high[different], Rest(free));
    }

    private int Rest(int count)
    {
        for (int bytes = 1; bytes <= count; bytes++)
        {
            if (rest[bytes] < 0)
            {
                rest[bytes] = rule.AddState();
                rule.AddBytes(rest[bytes], 0x80, 0xBF, rest[bytes - 1]);
            }
        }

        return rest[count];
    }
}

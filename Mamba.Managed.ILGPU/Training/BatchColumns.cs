using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>How the rows of a batch lie in the columns of device matrices.</summary>
internal sealed class BatchColumns
{
    private const int None = -1;

    /// <summary>Places the sequences one after the other, each from a multiple of <see cref="Padding.Sequence"/>.</summary>
    /// <param name="batch">A checked batch.</param>
    public BatchColumns(TrainingBatch batch)
    {
        ReadOnlySpan<int> lengths = batch.Lengths.Span;
        Segments = new Segment[lengths.Length];
        int end = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            Segments[i] = new(end, lengths[i], i);
            Longest = Math.Max(Longest, lengths[i]);
            end = checked(end + Padding.Up(lengths[i], Padding.Sequence));
        }

        Count = batch.Tokens.Length;
        Pitch = Padding.Up(end, Padding.Columns);
        (Rows, Tokens, Targets) = (Filled(), Filled(), Filled());
        int row = 0;
        foreach (Segment segment in Segments)
        {
            for (int t = 0; t < segment.Length; t++, row++)
            {
                int column = segment.Start + t;
                Rows[column] = row;
                Tokens[column] = batch.Tokens.Span[row];
                Targets[column] = batch.Targets.Span[row];
            }
        }

        (SortedColumns, DistinctTokens, Starts) = Sort(Tokens);
    }

    /// <summary>Sequences; the state of each is in the slot of its number.</summary>
    public Segment[] Segments { get; }

    /// <summary>Tokens of the longest sequence.</summary>
    public int Longest { get; }

    /// <summary>Rows of the batch.</summary>
    public int Count { get; }

    /// <summary>Columns of a matrix.</summary>
    public int Pitch { get; }

    /// <summary>Whether some columns hold no row of the batch.</summary>
    public bool HasPadding => Count != Pitch;

    /// <summary>[pitch]: the row of the batch in each column; -1 in padding, as for the others.</summary>
    public int[] Rows { get; }

    /// <summary>[pitch]</summary>
    public int[] Tokens { get; }

    /// <summary>[pitch]: -1 also where a row has no target.</summary>
    public int[] Targets { get; }

    /// <summary>[rows]: the columns of all rows, those of one token together and in ascending order.</summary>
    public int[] SortedColumns { get; }

    /// <summary>The tokens that occur, in ascending order.</summary>
    public int[] DistinctTokens { get; }

    /// <summary>Where the columns of each distinct token begin among the sorted ones, and behind the last where they end.</summary>
    public int[] Starts { get; }

    private int[] Filled()
    {
        int[] columns = new int[Pitch];
        Array.Fill(columns, None);
        return columns;
    }

    private static (int[] Columns, int[] Tokens, int[] Starts) Sort(int[] tokens)
    {
        List<long> keys = new(tokens.Length);
        for (int column = 0; column < tokens.Length; column++)
        {
            if (tokens[column] != None)
            {
                keys.Add(((long)tokens[column] << 32) | (uint)column);
            }
        }

        keys.Sort();
        List<int> distinct = [], starts = [];
        for (int i = 0; i < keys.Count; i++)
        {
            int token = (int)(keys[i] >> 32);
            if (i == 0 || token != distinct[^1])
            {
                distinct.Add(token);
                starts.Add(i);
            }
        }

        return ([.. keys.Select(key => (int)key)], [.. distinct], [.. starts, keys.Count]);
    }
}

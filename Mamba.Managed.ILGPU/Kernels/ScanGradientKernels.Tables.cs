using ILGPU;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>Shared memory: two chunks of B and C, tables of [channels, 16 states], and terms that wait to be added.</content>
/// <remarks>
/// A row of B or C has 16 units of four steps. Lanes read units 0, 2, 4.., then 1, 3, 5.., so the even ones come first: lanes read neighbors. The tables are A2, the
/// carries, the sums of A_log, and the states before two chunks.
/// </remarks>
internal static partial class ScanGradientKernels
{
    private const int RowUnits = Chunk / 4;
    private const int TileUnits = 32 * RowUnits;

    /// <summary>Rows that all threads copy at a time.</summary>
    private const int PassRows = Threads / RowUnits;

    private const int TablePitch = 20;
    private const int TableUnits = GroupChannels * TablePitch / 4;
    private const int TableStart = 2 * TileUnits;
    private const int TermStart = TableStart + (5 * TableUnits);
    private const int TermUnits = Together * StateWarps * ChannelWarps * 2 * RowUnits;
    private const int SharedUnits = TermStart + TermUnits;

    [Inlined]
    private static ArrayView<float> Table(ArrayView<Float4> shared, int index) => shared.SubView(TableStart + (index * TableUnits), TableUnits).Cast<float>();

    /// <summary>Begins to copy B, C and the first states of a chunk; what lies beyond the last token becomes zero.</summary>
    [Inlined]
    private static void Fetch(FastScanGradients work, ArrayView<Float4> shared, int sharedAddress, Segment segment, int chunk, int group, int buffer)
    {
        int thread = Group.IdxX, row = thread / RowUnits, unit = thread & (RowUnits - 1), step = (chunk * Chunk) + (unit * 4);
        if (chunk >= 0)
        {
            int from = ((group + row) * work.Scan.Pitch) + ((segment.Start + step) >> 2), target = (buffer * TileUnits) + (row * RowUnits) + ((unit & 1) * 8) + (unit >> 1);
            int number = (segment.Start / Chunk) + Grid.IdxY + chunk, channel = (Grid.IdxX * GroupChannels) + (thread >> 2);
            int states = (((((number * work.Scan.Channels) + channel) * work.Scan.States) + group) >> 2) + (thread & 3);
            int statesTarget = TableStart + ((3 + buffer) * TableUnits) + ((thread >> 2) * (TablePitch / 4)) + (thread & 3);
            bool inside = step < segment.Length, copiesStates = thread < GroupChannels * 4;
            if (CudaAsm.IsSupported)
            {
                long address = work.Scan.BAddress + (from * 16L), passStep = PassRows * 16L * work.Scan.Pitch;
                int place = sharedAddress + (16 * target);
                for (int i = Unroll.From(0); i < 32 / PassRows; i++)
                {
                    address = i * PassRows == 16 ? work.Scan.CAddress + (from * 16L) : address;
                    Ptx.CopyToSharedAsync(place, 16 * i * Threads, address, inside ? 16 : 0);
                    address += passStep;
                }

                if (copiesStates)
                {
                    Ptx.CopyToSharedAsync(sharedAddress + (16 * statesTarget), 0, work.ChunkAddress + (states * 16L), 16);
                }
            }
            else
            {
                for (int i = Unroll.From(0); i < 32 / PassRows; i++)
                {
                    int source = from + (i * PassRows % 16 * work.Scan.Pitch);
                    Float4 copied = default;
                    if (inside)
                    {
                        copied = i * PassRows >= 16 ? work.Scan.C[source] : work.Scan.B[source];
                    }

                    shared[target + (i * Threads)] = copied;
                }

                if (copiesStates)
                {
                    shared[statesTarget] = work.ChunkUnits[states];
                }
            }
        }

        if (CudaAsm.IsSupported)
        {
            Ptx.CommitCopies();
        }
    }

    /// <summary>Waits until what was fetched last is in shared memory, and tables that threads have loaded.</summary>
    [Inlined]
    private static void Arrive()
    {
        if (CudaAsm.IsSupported)
        {
            Ptx.WaitForCopies(0);
        }

        Group.Barrier();
    }

    /// <summary>Begins carries and sums in the workspace.</summary>
    [Inlined]
    private static void Begin(FastScanGradients work, Segment segment)
    {
        int states = work.Scan.States, first = Grid.IdxX * GroupChannels, item = (Grid.IdxY * work.Scan.Channels) + first;
        long last = (segment.Slot * work.StateLength) + work.StateOffset + (first * (long)states);
        for (int i = Group.IdxX; i < GroupChannels * states; i += Threads)
        {
            work.Carries[(item * (long)states) + i] = work.StateGradients.Length > 0 ? work.StateGradients[last + i] : 0f;
            work.Sums[((item + (i / states)) * (long)(states + 2)) + (i % states)] = 0f;
        }

        Group.Barrier();
    }

    /// <summary>Fills the tables of 16 states.</summary>
    [Inlined]
    private static void Load(FastScanGradients work, ArrayView<float> a2s, ArrayView<float> carries, ArrayView<float> sums, int group)
    {
        int states = work.Scan.States, first = Grid.IdxX * GroupChannels, item = (Grid.IdxY * work.Scan.Channels) + first;
        for (int i = Group.IdxX; i < GroupChannels * 16; i += Threads)
        {
            int channel = i >> 4, n = group + (i & 15), place = (channel * TablePitch) + (i & 15);
            a2s[place] = work.Scan.A2[((first + channel) * states) + n];
            carries[place] = work.Carries[((item + channel) * (long)states) + n];
            sums[place] = work.Sums[((item + channel) * (long)(states + 2)) + n];
        }
    }

    /// <summary>Writes the tables back; a thread will load what it has stored itself.</summary>
    [Inlined]
    private static void Store(FastScanGradients work, ArrayView<float> carries, ArrayView<float> sums, int group)
    {
        int states = work.Scan.States, item = (Grid.IdxY * work.Scan.Channels) + (Grid.IdxX * GroupChannels);
        for (int i = Group.IdxX; i < GroupChannels * 16; i += Threads)
        {
            int channel = i >> 4, n = group + (i & 15), place = (channel * TablePitch) + (i & 15);
            work.Carries[((item + channel) * (long)states) + n] = carries[place];
            work.Sums[((item + channel) * (long)(states + 2)) + n] = sums[place];
        }
    }

    /// <summary>Writes the gradients of the first states, and finishes the sums of A_log, bias and D.</summary>
    [Inlined]
    private static void End(FastScanGradients work, ArrayView<Float4> terms, Segment segment, float biasSum, float skipSum)
    {
        int thread = Group.IdxX, lane = thread & 31, inGroup = (((thread >> 5) & (ChannelWarps - 1)) * WarpChannels) + (lane & (WarpChannels - 1));
        int states = work.Scan.States, first = Grid.IdxX * GroupChannels, item = (Grid.IdxY * work.Scan.Channels) + first;
        for (int distance = Unroll.From(1); distance < TimeLanes; distance *= 2)
        {
            biasSum += Warp.ShuffleXor(biasSum, distance * WarpChannels);
            skipSum += Warp.ShuffleXor(skipSum, distance * WarpChannels);
        }

        ArrayView<float> waiting = terms.Cast<float>();
        if (thread >= 32 * ChannelWarps)
        {
            waiting[2 * inGroup] = biasSum;
            waiting[(2 * inGroup) + 1] = skipSum;
        }

        Group.Barrier();
        if (thread < 32 * ChannelWarps && lane < WarpChannels)
        {
            long at = ((item + inGroup) * (long)(states + 2)) + states;
            work.Sums[at] = StateWarps > 1 ? biasSum + waiting[2 * inGroup] : biasSum;
            work.Sums[at + 1] = StateWarps > 1 ? skipSum + waiting[(2 * inGroup) + 1] : skipSum;
        }

        long last = (segment.Slot * work.StateLength) + work.StateOffset + (first * (long)states);
        for (int i = thread; i < GroupChannels * states; i += Threads)
        {
            work.Sums[((item + (i / states)) * (long)(states + 2)) + (i % states)] *= work.Scan.A2[(first * states) + i] * Elementary.Ln2;
            if (work.StateGradients.Length > 0)
            {
                work.StateGradients[last + i] = work.Carries[(item * (long)states) + i];
            }
        }
    }
}

using ILGPU;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>Terms of B and C on their way to sums over channels.</content>
internal static partial class ScanGradientKernels
{
    /// <summary>Threads of a group of <see cref="AddGroups"/>.</summary>
    public const int SumThreads = 128;

    /// <summary>Groups whose terms are read before they are added.</summary>
    private const int Ahead = 8;

    /// <summary>Adds the terms of a warp's four channels, and leaves them in shared memory.</summary>
    /// <remarks>Neighboring channels exchange B for C; then lanes two channels apart exchange halves of the steps.</remarks>
    [Inlined]
    private static void AddChannels(ArrayView<Float4> terms, int waiting, int lane, float[] ofB, float[] ofC)
    {
        bool odd = (lane & 1) != 0, late = (lane & 2) != 0;
        float[] pair = new float[Steps];
        Float4 sum = default;
        for (int t = Unroll.From(0); t < Steps; t++)
        {
            pair[t] = (odd ? ofC[t] : ofB[t]) + Warp.ShuffleXor(odd ? ofB[t] : ofC[t], 1);
        }

        for (int i = Unroll.From(0); i < 4; i++)
        {
            sum[i] = (late ? pair[i + 4] : pair[i]) + Warp.ShuffleXor(late ? pair[i] : pair[i + 4], 2);
        }

        // Rows of C are turned by half of the banks, since lanes with B and C store together.
        int row = (((waiting * ChannelWarps) + ((Group.IdxX >> 5) & (ChannelWarps - 1))) * 2) + (lane & 1);
        terms[(row * RowUnits) + (((lane / WarpChannels * 2) + ((lane >> 1) & 1)) ^ ((lane & 1) * 4))] = sum;
    }

    /// <summary>Adds the terms of the group's warps, and leaves them in the workspace.</summary>
    [Inlined]
    private static void AddWarps(FastScanGradients work, ArrayView<Float4> terms, Segment segment, int chunk, int state)
    {
        for (int i = Group.IdxX; i < Together * StateWarps * 2 * RowUnits; i += Threads)
        {
            int waiting = i / (2 * RowUnits), unit = i & ((2 * RowUnits) - 1);
            int from = (waiting * ChannelWarps * 2 * RowUnits) + (unit < RowUnits ? unit : unit ^ 4);
            Float4 sum = terms[from];
            for (int warp = Unroll.From(1); warp < ChannelWarps; warp++)
            {
                Float4 term = terms[from + (warp * 2 * RowUnits)];
                for (int k = Unroll.From(0); k < 4; k++)
                {
                    sum[k] += term[k];
                }
            }

            int step = (chunk * Chunk) + ((unit & (RowUnits - 1)) * 4), n = state + (waiting / Together * WarpStates) + (waiting % Together);
            int row = (Grid.IdxX * 2 * work.Scan.States) + (unit < RowUnits ? 0 : work.Scan.States) + n;
            if (step < ((segment.Length + Padding.Sequence - 1) & -Padding.Sequence))
            {
                work.Terms[(row * work.Scan.Pitch) + ((segment.Start + step) >> 2)] = sum;
            }
        }
    }

    /// <summary>Adds the terms of all groups: four steps (x) of one sequence (y) and of one row of B or C (z).</summary>
    [Unrolled("AddGroups")]
    internal static void Sum(FastScanGradients work)
    {
        Segment segment = work.Scan.Segments[Grid.IdxY];
        int step = ((Grid.IdxX * SumThreads) + Group.IdxX) * 4, states = work.Scan.States, row = Grid.IdxZ;
        if (step < ((segment.Length + Padding.Sequence - 1) & -Padding.Sequence))
        {
            int column = (segment.Start + step) >> 2, from = (row * work.Scan.Pitch) + column, stride = 2 * states * work.Scan.Pitch;
            Float4 sum = default;
            for (int group = 0; group < work.Groups; group += Ahead)
            {
                Float4[] read = new Float4[Ahead];
                for (int i = Unroll.From(0); i < Ahead; i++)
                {
                    read[i] = default;
                    if (group + i < work.Groups)
                    {
                        read[i] = work.Terms[from + ((group + i) * stride)];
                    }
                }

                for (int i = Unroll.From(0); i < Ahead; i++)
                {
                    for (int k = Unroll.From(0); k < 4; k++)
                    {
                        sum[k] += read[i][k];
                    }
                }
            }

            if (row < states)
            {
                work.BGradient[(row * work.Scan.Pitch) + column] = sum;
            }
            else
            {
                work.CGradient[((row - states) * work.Scan.Pitch) + column] = sum;
            }
        }
    }
}

using ILGPU;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>B and C of a stage of time: 32 rows in shared memory, two stages at a time.</content>
/// <remarks>
/// State n is row 4 (n mod 4) + n / 4 and its C 16 rows later, so that the four lanes of a channel, which read states 0, 4, 8 and 12 (1, 5, 9, 13; ..) together,
/// read neighboring rows; rows are an odd number of 16-byte units apart, so these lie in different banks.
/// <para/>
/// Units are copied asynchronously, of bfloat16 to a place of their own, from which the thread that copied them widens them, once for all channels of the group.
/// </remarks>
internal static partial class SelectiveScanKernels
{
    private const int TilePitch = (Stage / 4) + 1;
    private const int TileUnits = 32 * TilePitch;

    /// <summary>Numbers of 16 bytes.</summary>
    private const int UnitNumbers = IsBFloat16 ? 8 : 4;

    /// <summary>16-byte units of a row of a stage in global memory.</summary>
    private const int RowUnits = Stage / UnitNumbers;

    /// <summary>Rows that all threads copy at a time.</summary>
    private const int PassRows = Threads / RowUnits;

    /// <summary>Units that a thread copies for a stage.</summary>
    private const int Copies = PassRows > 32 ? 1 : 32 / PassRows;

    /// <summary>Units of bfloat16 that wait to be widened.</summary>
    private const int NarrowUnits = IsBFloat16 ? Threads * Copies : 0;

    private const int SharedUnits = (2 * TileUnits) + (2 * StepUnits) + NarrowUnits;

    /// <summary>From a lane's first unit of its first row to its last unit of the last.</summary>
    private const int ReachOfLane = ((16 + (3 * StateLanes)) * TilePitch) + (Steps / 4);

    /// <summary>Begins to copy a stage; what lies beyond the last token becomes zero.</summary>
    [Inlined]
    private static void Fetch(FastScan scan, ArrayView<Float4> shared, Segment segment, int start, int group, int buffer)
    {
        int row = Group.IdxX / RowUnits, unit = Group.IdxX % RowUnits;
        int from = ((group + (row & 15)) * scan.RowUnits) + ((segment.Start + start) / UnitNumbers) + unit;
        bool inside = start + (unit * UnitNumbers) < segment.Length, isC = row >= 16;
        if (PassRows <= 32 || row < 32)
        {
            for (int i = Unroll.From(0); i < Copies; i++)
            {
                int source = from + (i * PassRows % 16 * scan.RowUnits);
                int target = IsBFloat16 ? (2 * TileUnits) + (2 * StepUnits) + (i * Threads) + Group.IdxX : (buffer * TileUnits) + Place() + (RowOf(i) * TilePitch);
                if (CudaAsm.IsSupported)
                {
                    long address = isC || i * PassRows >= 16 ? scan.CAddress : scan.BAddress;
                    Ptx.CopyToSharedAsync(target * 16, address + (source * 16L), inside ? 16 : 0);
                }
                else
                {
                    Float4 copied = default;
                    if (inside)
                    {
                        copied = isC || i * PassRows >= 16 ? scan.C[source] : scan.B[source];
                    }

                    shared[target] = copied;
                }
            }
        }

        if (CudaAsm.IsSupported)
        {
            Ptx.CommitCopies();
        }
    }

    /// <summary>Waits until the stage that was fetched last is in shared memory, and all threads have left the one before.</summary>
    [Inlined]
    private static void Arrive(ArrayView<Float4> shared, int buffer)
    {
        if (CudaAsm.IsSupported)
        {
            Ptx.WaitForCopies(0);
        }

        if (IsBFloat16 && (PassRows <= 32 || Group.IdxX < 32 * RowUnits))
        {
            int place = (buffer * TileUnits) + Place();
            for (int i = Unroll.From(0); i < Copies; i++)
            {
                Float4 bits = shared[(2 * TileUnits) + (2 * StepUnits) + (i * Threads) + Group.IdxX];
                shared[place + (RowOf(i) * TilePitch)] = FourNumbers.Widen(Interop.FloatAsInt(bits.X), Interop.FloatAsInt(bits.Y));
                shared[place + (RowOf(i) * TilePitch) + 1] = FourNumbers.Widen(Interop.FloatAsInt(bits.Z), Interop.FloatAsInt(bits.W));
            }
        }

        Group.Barrier();
    }

    /// <summary>Where a thread's first unit of a stage begins in a tile.</summary>
    [Inlined]
    private static int Place()
    {
        int row = Group.IdxX / RowUnits;
        return (((row & 16) + ((row & 3) * 4) + ((row & 15) >> 2)) * TilePitch) + (Group.IdxX % RowUnits * (UnitNumbers / 4));
    }

    /// <summary>How many rows of a tile a thread's i-th unit lies after its first.</summary>
    [Inlined]
    private static int RowOf(int i) => (i * PassRows / 16 * 16) + (i * PassRows % 16 / 4);
}

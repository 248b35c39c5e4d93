using ILGPU;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>B and C of a stage of time: 32 rows in shared memory, two stages at a time.</content>
/// <remarks>
/// Lanes that read together read neighboring rows, states 0 to 3, then 4 to 7 and so on. Rows are padded so that these lie in different banks; where lanes of eight
/// times read together too, neighboring units change places for every other two of them.
/// <para/>
/// Units are copied asynchronously, of bfloat16 to a place of their own, from which the thread that copied them widens them, once for all channels of the group.
/// </remarks>
internal static partial class SelectiveScanKernels
{
    /// <summary>Whether units change places.</summary>
    private const bool IsSwizzled = StateWarps > 1;

    private const int TilePitch = (Stage / 4) + (IsSwizzled ? 2 : 1);
    private const int TileUnits = 32 * TilePitch;

    /// <summary>Numbers of 16 bytes.</summary>
    private const int UnitNumbers = IsBFloat16 ? 8 : 4;

    /// <summary>16-byte units of a row of a stage in global memory.</summary>
    private const int RowUnits = Stage / UnitNumbers;

    /// <summary>Rows that all threads copy at a time.</summary>
    private const int PassRows = Threads / RowUnits;

    /// <summary>Units that a thread copies for a stage.</summary>
    private const int Copies = PassRows > 32 ? 1 : 32 / PassRows;

    /// <summary>Units that warps with the same channels exchange.</summary>
    private const int Exchanged = StateWarps > 1 ? Threads : 0;

    /// <summary>From one unit that a thread copies to the next, in shared memory.</summary>
    private const int CopyStride = IsBFloat16 ? Threads : PassRows * TilePitch;

    private const int StepStart = 2 * TileUnits;
    private const int ExchangeStart = StepStart + (2 * StepUnits);
    private const int NarrowStart = ExchangeStart + Exchanged;
    private const int SharedUnits = NarrowStart + (IsBFloat16 ? Threads * Copies : 0);

    /// <summary>From a lane's first unit of its first row to its last unit of the last.</summary>
    private const int ReachOfLane = (28 * TilePitch) + (Steps / 4);

    /// <summary>From the place of a thread's first unit in a tile to that of its last.</summary>
    private const int ReachOfCopies = ((Copies - 1) * PassRows * TilePitch) + 1;

    /// <summary>1 where a time lane's neighboring units have changed places, else 0.</summary>
    [Inlined]
    private static int Swizzle(int timeLane) => IsSwizzled ? (timeLane >> 1) & 1 : 0;

    /// <summary>The q-th unit of a lane's row of B, or of C 16 rows later.</summary>
    [Inlined]
    private static Float4 Unit(ArrayView<Float4> even, ArrayView<Float4> odd, int row, int q) =>
        IsSwizzled && q % 2 == 1 ? odd[(row * TilePitch) + q - 1] : even[(row * TilePitch) + q];

    /// <summary>Where a thread finds its units of the first stage, and where they belong in shared memory.</summary>
    [Inlined]
    private static Source SourceOf(FastScan scan, Segment segment)
    {
        Source source = default;
        int row = Group.IdxX / RowUnits, unit = (segment.Start / UnitNumbers) + (Group.IdxX & (RowUnits - 1));
        source.Unit = ((row & 15) * scan.RowUnits) + unit;
        source.First = (row < 16 ? scan.BAddress : scan.CAddress) + (source.Unit * 16L);
        source.Second = scan.CAddress + (source.Unit * 16L);
        if (CudaAsm.IsSupported)
        {
            source.Place = Ptx.FirstShared() + (16 * (IsBFloat16 ? NarrowStart + Group.IdxX : Place()));
        }

        return source;
    }

    /// <summary>Begins to copy a stage; what lies beyond the last token becomes zero.</summary>
    [Inlined]
    private static void Fetch(FastScan scan, ArrayView<Float4> shared, Source source, Segment segment, int start, int group, int buffer)
    {
        bool inside = start + ((Group.IdxX & (RowUnits - 1)) * UnitNumbers) < segment.Length;
        int offset = (ManyStates ? group * scan.RowUnits : 0) + (start / UnitNumbers), step = PassRows * scan.RowUnits;
        if (PassRows <= 32 || Group.IdxX < 32 * RowUnits)
        {
            if (CudaAsm.IsSupported)
            {
                int bytes = inside ? 16 : 0, place = source.Place + (IsBFloat16 ? 0 : buffer * TileUnits * 16);
                long from = source.First + (offset * 16L);
                for (int i = Unroll.From(0); i < Copies; i++)
                {
                    from = i * PassRows == 16 ? source.Second + (offset * 16L) : from;
                    Ptx.CopyToSharedAsync(place, 16 * i * CopyStride, from, bytes);
                    from += step * 16L;
                }
            }
            else
            {
                for (int i = Unroll.From(0); i < Copies; i++)
                {
                    int from = source.Unit + offset + (i * PassRows % 16 * scan.RowUnits);
                    Float4 copied = default;
                    if (inside)
                    {
                        copied = Group.IdxX / RowUnits + (i * PassRows) < 16 ? scan.B[from] : scan.C[from];
                    }

                    shared[(IsBFloat16 ? NarrowStart + Group.IdxX : (buffer * TileUnits) + Place()) + (i * CopyStride)] = copied;
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
            ArrayView<Float4> waiting = shared.SubView(NarrowStart + Group.IdxX, (Copies - 1) * Threads + 1);
            ArrayView<Float4> first = shared.SubView(place, ReachOfCopies), second = shared.SubView(IsSwizzled ? place ^ 1 : place + 1, ReachOfCopies);
            for (int i = Unroll.From(0); i < Copies; i++)
            {
                Float4 bits = waiting[i * Threads];
                first[i * PassRows * TilePitch] = FourNumbers.Widen(Interop.FloatAsInt(bits.X), Interop.FloatAsInt(bits.Y));
                second[i * PassRows * TilePitch] = FourNumbers.Widen(Interop.FloatAsInt(bits.Z), Interop.FloatAsInt(bits.W));
            }
        }

        Group.Barrier();
    }

    /// <summary>Where a thread's first unit of a stage begins in a tile.</summary>
    [Inlined]
    private static int Place()
    {
        int unit = (Group.IdxX & (RowUnits - 1)) * (UnitNumbers / 4);
        return (Group.IdxX / RowUnits * TilePitch) + (IsSwizzled ? unit ^ Swizzle(unit >> 2) : unit);
    }

    /// <summary>What a thread copies of every stage.</summary>
    private struct Source
    {
        /// <summary>Its first unit as an index in B or C.</summary>
        public int Unit;

        /// <summary>The unit's address.</summary>
        public long First;

        /// <summary>The address of its first unit of C, if it copies units of both.</summary>
        public long Second;

        /// <summary>The address in shared memory.</summary>
        public int Place;
    }
}

using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>How lines come from global memory to shared memory, and from there to lanes.</summary>
/// <remarks>
/// Where the depth of a line is contiguous in global memory, it is so in shared memory: 64 bytes a line, the g-th line of each tile of eight
/// in its turn; that line of C is fetched there, so the order of lines costs nothing. Float32: lane (g, t) reads the t-th 16 bytes of line g.
/// bfloat16: an instruction hands the matrices of eight lines and 16 bytes out to lanes; so that the eight lines lie in different banks, unit u of line g lies
/// at place u XOR g / 2.
/// <para>
/// Where lines are contiguous ("strided": the depth is), a stage is rows of the depth. Lane (g, t) reads four neighboring lines at the four (bfloat16: eight) rows
/// of its depth. Lanes of different t would meet in the same banks, so unit u of 16 bytes lies at place u XOR 2t.
/// </para>
/// </remarks>
internal static partial class MatrixProductTiles
{
    /// <summary>Neighboring rows of the depth that a lane holds, as a power of two.</summary>
    private const int LaneDepthShift = BFloat16 ? 1 : 2;

    /// <summary>Where a thread's first unit of a stage lies in global memory, in bytes from the matrix.</summary>
    [Inlined]
    private static long Source(bool strided, int lines, int thread, int line, int depth, int pitch) => strided
        ? ((long)(depth + UnitDepth(strided, lines, thread)) * pitch + line + UnitLine(strided, lines, thread)) * EntryBytes
        : ((long)(line + UnitLine(strided, lines, thread)) * pitch + depth + UnitDepth(strided, lines, thread)) * EntryBytes;

    /// <summary>Bytes from a stage to the next.</summary>
    [Inlined]
    private static long StageStride(bool strided, int pitch) => strided ? (long)pitch * (StageDepth * EntryBytes) : LineBytes;

    /// <summary>Bytes from a thread's unit to its next one of the same stage.</summary>
    [Inlined]
    private static long UnitStride(bool strided, int lines, int pitch) =>
        strided ? (long)pitch * (Threads / UnitsOfRow(lines) * EntryBytes) : (long)pitch * (Threads / 4 * EntryBytes);

    /// <summary>16-byte units of a row of the depth.</summary>
    [Inlined]
    private static int UnitsOfRow(int lines) => lines * EntryBytes / 16;

    /// <summary>The line (the first of its lines, where strided) of a thread's first unit.</summary>
    [Inlined]
    private static int UnitLine(bool strided, int lines, int thread) => strided
        ? thread % UnitsOfRow(lines) * (16 / EntryBytes)
        : ((thread >> 2) & ~31) + 4 * ((thread >> 2) & 7) + ((thread >> 5) & 3);

    /// <summary>The depth of a thread's first unit in a stage.</summary>
    [Inlined]
    private static int UnitDepth(bool strided, int lines, int thread) => strided ? thread / UnitsOfRow(lines) : (thread & 3) * (16 / EntryBytes);

    /// <summary>Where a thread's first unit lies in a stage's part of shared memory.</summary>
    [Inlined]
    private static int Target(bool strided, int lines, int thread) => strided
        ? thread / UnitsOfRow(lines) * (lines * EntryBytes) + (((thread % UnitsOfRow(lines)) ^ (2 * ((thread / UnitsOfRow(lines) >> LaneDepthShift) & 3))) * 16)
        : BFloat16 ? thread / 4 * LineBytes + (((thread & 3) ^ ((thread >> 3) & 3)) * 16)
        : thread * 16;

    /// <summary>How many of a thread's units hold lines that exist.</summary>
    [Inlined]
    private static int Count(bool strided, int lines, int thread, int line, int limit) => strided
        ? (line + UnitLine(strided, lines, thread) < limit ? lines * 4 / Threads : 0)
        : (limit - line - UnitLine(strided, lines, thread) + Threads / 4 - 1) / (Threads / 4);

    /// <summary>Starts a thread's copies of one stage, of whose depth so much is left.</summary>
    /// <remarks>
    /// Places of lines that do not exist stay as they are: they reach only entries of C that do not exist either. A stage of bfloat16 may be half
    /// full; the other half becomes zeros.
    /// </remarks>
    [Inlined]
    private static void Fetch(bool strided, int lines, int thread, int target, long source, int pitch, int count, int left)
    {
        for (int i = Unroll.From(0); i < lines * 4 / Threads; i++)
        {
            int place = strided ? target ^ (32 * ((i * (Threads / UnitsOfRow(lines)) >> LaneDepthShift) & 3)) : target;
            if (BFloat16)
            {
                int depth = UnitDepth(strided, lines, thread) + (strided ? i * (Threads / UnitsOfRow(lines)) : 0);
                Ptx.CopyOrZeroAsync(place, i * Threads * 16, source, count, strided ? 0 : i, depth < left ? 16 : 0);
            }
            else
            {
                Ptx.CopyAsync(place, i * Threads * 16, source, count, strided ? 0 : i);
            }

            source += UnitStride(strided, lines, pitch);
        }
    }

    /// <summary>Where a lane begins to read a stage.</summary>
    /// <remarks>Lines of the second matrix that one instruction reads of bfloat16 lie so many lines after the first; without any, it reads on along the depth.</remarks>
    [Inlined]
    private static int LanePart(bool strided, int lines, int line, int lane, int second) =>
        strided && BFloat16 ? (lane & 3) * 2 * (lines * 2) + ((line * 2 + (lane >> 3) * 16) ^ ((lane & 3) * 32)) + ((lane >> 2) & 1) * 8
        : strided ? (lane & 3) * 4 * (lines * 4) + line * 4 + (((lane >> 2) ^ (2 * (lane & 3))) * 16)
        : !BFloat16 ? (line + (lane >> 2)) * LineBytes + (lane & 3) * 16
        : second > 0 ? (line + (lane & 7) + ((lane >> 3) & 1) * second) * LineBytes + (((lane >> 4) ^ ((lane >> 1) & 3)) * 16)
        : (line + (lane & 7)) * LineBytes + (((lane >> 3) ^ ((lane >> 1) & 3)) * 16);

    /// <summary>Reads four neighboring lines of the 32 of a group into the registers "x": [depth][line], two bfloat16 to a register.</summary>
    [Inlined]
    private static void ReadGroup(bool strided, int lines, int address, int group)
    {
        if (strided && BFloat16)
        {
            int part = address ^ (group % 2 * 64);
            for (int i = Unroll.From(0); i < 8; i++)
            {
                Ptx.LoadShared2("x", 2 * i, part, (i / 2 * 8 + i % 2) * lines * 2 + group / 2 * 128);
            }
        }

        if (strided && !BFloat16)
        {
            for (int i = Unroll.From(0); i < 4; i++)
            {
                Ptx.LoadShared4("x", 4 * i, address, i * lines * 4 + group * 128);
            }
        }
    }

    /// <summary>Eight columns of B as instructions take them: a lane's entries of its column follow one another in registers.</summary>
    [Inlined]
    private static void ReadColumns(int address, int group, int tile)
    {
        if (BFloat16 && BTransposed)
        {
            Ptx.LoadSharedMatrices("bh", (4 * group + tile) * Words, address, (4 * group + tile) * 8 * LineBytes);
        }
        else
        {
            ReadLine(!BTransposed, "bh", "bl", (4 * group + tile) * Words, 1, address, group, tile);
        }
    }

    /// <summary>Sixteen rows of A as instructions take them: a lane's entries of its row in the upper eight alternate with those of its row in the lower eight.</summary>
    [Inlined]
    private static void ReadRows(int address, int group, int tile)
    {
        if (BFloat16 && !ATransposed)
        {
            Ptx.LoadSharedMatrices("ah", tile * 2 * Words, address, (2 * group + tile) * 16 * LineBytes);
            Ptx.LoadSharedMatrices("ah", tile * 2 * Words + 4, address ^ 32, (2 * group + tile) * 16 * LineBytes);
        }
        else
        {
            ReadLine(ATransposed, "ah", "al", tile * 2 * Words, 2, address, group, 2 * tile);
            ReadLine(ATransposed, "ah", "al", tile * 2 * Words + 1, 2, address, group, 2 * tile + 1);
        }
    }

    /// <summary>A lane's entries of its line of a tile, in the registers high and low from an index, one at every stride.</summary>
    [Inlined]
    private static void ReadLine(bool strided, string high, string low, int index, int stride, int address, int group, int tile)
    {
        if (BFloat16)
        {
            for (int i = Unroll.From(0); i < 4; i++)
            {
                Ptx.PackHalves(high, index + i * stride, "x", 4 * i + tile / 2, 4 * i + 2 + tile / 2, tile % 2 == 1);
            }
        }
        else if (strided)
        {
            Split(high, low, index, stride, tile, 4);
        }
        else
        {
            Ptx.LoadShared4("x", 0, address, (4 * group + tile) * 8 * LineBytes);
            Split(high, low, index, stride, 0, 1);
        }
    }

    /// <summary>Parts four float32 of the registers "x", which lie <paramref name="apart"/> from one another.</summary>
    [Inlined]
    private static void Split(string high, string low, int index, int stride, int first, int apart)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            if (Tf32)
            {
                Ptx.SplitTf32(high, low, index + i * stride, "x", first + i * apart);
            }
            else if (i % 2 == 0)
            {
                Ptx.SplitBFloat16(high, low, index + i / 2 * stride, "x", first + i * apart, first + (i + 1) * apart);
            }
        }
    }
}

using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>Products of few sequences by matrix instructions: the weights are read once, as fast as memory gives them.</summary>
/// <remarks>
/// A group has some rows of the weights, and its warps share the inputs among them, a chunk of 64 bytes of each row in turn; their sums meet in shared
/// memory. What a lane needs of a chunk is 16 bytes of a row, whatever inputs the instruction takes them for: the order of a sum's terms is free as
/// long as weights and activations agree.
/// <para>
/// Float32: x = high + low in TF32, and low high + high low + high high is summed. Bfloat16: the weights are exact, the activations are high + low in
/// bfloat16. The instructions truncate sums; a warp's part of the inputs is short enough for that not to matter.
/// </para>
/// <para>
/// As it stands the template runs without matrix instructions, by exchanging values through shared memory, on devices whose warps have 32 threads.
/// </para>
/// </remarks>
internal static partial class StepProductKernels
{
    /// <summary>Whether matrix instructions are done without.</summary>
    private const bool Emulated = true;

    /// <summary>Whether weights are bfloat16.</summary>
    private const bool BFloat16 = false;

    /// <summary>Tiles of 16 rows that a group has.</summary>
    private const int RowTiles = 2;

    /// <summary>Tiles of 8 sequences that a group has.</summary>
    private const int ColumnTiles = 2;

    /// <summary>Warps that share the inputs.</summary>
    private const int Warps = 8;

    /// <summary>Chunks of weights on their way to a warp.</summary>
    private const int Depth = 2;

    private const int Rows = RowTiles * 16;
    private const int Columns = ColumnTiles * 8;

    /// <summary>Activations of a chunk that belong to a lane, in 16-byte units: one for float32 weights, two for bfloat16.</summary>
    private const int InputUnits = BFloat16 ? 2 : 1;

    /// <summary>Entries between the sums of two sequences in shared memory: lanes of a warp then hit different banks.</summary>
    private const int SumPitch = Rows + 4;

    [Unrolled("EmulatedBFloat16", "BFloat16=true")]
    [Unrolled("In8", "Emulated=false", "ColumnTiles=1", "Depth=4")]
    [Unrolled("In16", "Emulated=false", "Depth=4")]
    [Unrolled("In32", "Emulated=false", "ColumnTiles=4", "Depth=4")]
    [Unrolled("Out8", "Emulated=false", "RowTiles=1", "ColumnTiles=1", "Depth=4")]
    [Unrolled("Out16", "Emulated=false", "RowTiles=1", "Depth=4")]
    [Unrolled("Out32", "Emulated=false", "RowTiles=1", "ColumnTiles=4", "Depth=4")]
    [Unrolled("Head8", "Emulated=false", "RowTiles=4", "ColumnTiles=1", "Warps=4")]
    [Unrolled("Head16", "Emulated=false", "RowTiles=4", "Warps=4")]
    [Unrolled("Head32", "Emulated=false", "RowTiles=4", "ColumnTiles=4", "Warps=4")]
    [Unrolled("InBFloat16x8", "Emulated=false", "BFloat16=true", "ColumnTiles=1", "Depth=4")]
    [Unrolled("InBFloat16x16", "Emulated=false", "BFloat16=true", "Depth=4")]
    [Unrolled("InBFloat16x32", "Emulated=false", "BFloat16=true", "ColumnTiles=4", "Depth=4")]
    [Unrolled("OutBFloat16x8", "Emulated=false", "BFloat16=true", "RowTiles=1", "ColumnTiles=1", "Depth=4")]
    [Unrolled("OutBFloat16x16", "Emulated=false", "BFloat16=true", "RowTiles=1", "Depth=4")]
    [Unrolled("OutBFloat16x32", "Emulated=false", "BFloat16=true", "RowTiles=1", "ColumnTiles=4", "Depth=4")]
    [Unrolled("HeadBFloat16x8", "Emulated=false", "BFloat16=true", "RowTiles=3", "ColumnTiles=1", "Warps=4")]
    [Unrolled("HeadBFloat16x16", "Emulated=false", "BFloat16=true", "RowTiles=3", "Warps=4")]
    [Unrolled("HeadBFloat16x32", "Emulated=false", "BFloat16=true", "RowTiles=3", "ColumnTiles=4", "Warps=4")]
    internal static void Template(StepProductArguments arguments)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(Warps * Columns * SumPitch);
        float[] sums = new float[RowTiles * ColumnTiles * 4];
        Clear(sums);

        int lane = Group.IdxX & 31;
        int warp = Group.IdxX >> 5;
        int g = lane >> 2;
        int t = lane & 3;
        int row = Grid.IdxX * Rows;
        int column = Grid.IdxZ * Columns;
        int first = Grid.IdxY * arguments.PartChunks;
        int end = IntrinsicMath.Min(first + arguments.PartChunks, arguments.Chunks);

        long[] weightRows = new long[RowTiles * 2];
        for (int i = Unroll.From(0); i < RowTiles * 2; i++)
        {
            // Rows beyond the last repeat it; what they give is not stored.
            weightRows[i] = ((long)IntrinsicMath.Min(row + (8 * i) + g, arguments.Rows - 1) * arguments.WeightPitch) + t;
        }

        Float4[] weights = new Float4[Depth * RowTiles * 2];
        Float4[] inputs = new Float4[2 * ColumnTiles * InputUnits];
        int chunk = first + warp;
        for (int d = Unroll.From(0); d < Depth; d++)
        {
            LoadWeights(arguments.Weights, weightRows, weights, d, chunk + (d * Warps), end);
        }

        int inputRow = ((column + g) * arguments.InputPitch) + (t * InputUnits);
        LoadInputs(arguments.Input, inputRow, arguments.InputPitch, inputs, 0, chunk, end);
        LoadInputs(arguments.Input, inputRow, arguments.InputPitch, inputs, 1, chunk + Warps, end);
        for (; chunk < end; chunk += Depth * Warps)
        {
            for (int d = Unroll.From(0); d < Depth; d++)
            {
                int current = chunk + (d * Warps);
                if (current < end)
                {
                    Multiply(weights, d, inputs, d & 1, sums, shared);
                    LoadWeights(arguments.Weights, weightRows, weights, d, current + (Depth * Warps), end);
                    LoadInputs(arguments.Input, inputRow, arguments.InputPitch, inputs, d & 1, current + (2 * Warps), end);
                }
            }
        }

        Share(sums, shared, warp * Columns * SumPitch, g, t);
        Group.Barrier();
        for (int i = Group.IdxX; i < Rows * Columns; i += Warps * 32)
        {
            int sequence = column + (i / Rows);
            int output = row + (i % Rows);
            int slot = sequence < arguments.Sequences ? arguments.Slots[sequence] : -1;
            if (slot >= 0 && output < arguments.Rows)
            {
                Store(arguments, sequence, slot, output, Total(shared, (i / Rows * SumPitch) + (i % Rows)));
            }
        }
    }

    /// <summary>The sum over the warps, in their order.</summary>
    [Inlined]
    private static float Total(ArrayView<float> shared, int index)
    {
        float sum = shared[index];
        for (int warp = Unroll.From(1); warp < Warps; warp++)
        {
            sum += shared[index + (warp * Columns * SumPitch)];
        }

        return sum;
    }

    private static void Store(StepProductArguments arguments, int sequence, int slot, int row, float value)
    {
        if (arguments.Convolution.Channels > 0)
        {
            arguments.Convolution.Store(sequence, slot, row, value);
        }
        else
        {
            arguments.Target[(((Grid.IdxY * (long)arguments.TargetSequences) + sequence) * arguments.TargetPitch) + row] = value;
        }
    }

    [Inlined]
    private static void LoadWeights(ArrayView<Float4> source, long[] rows, Float4[] weights, int place, int chunk, int end)
    {
        if (chunk < end)
        {
            for (int i = Unroll.From(0); i < RowTiles * 2; i++)
            {
                weights[(place * RowTiles * 2) + i] = source[rows[i] + (chunk * 4)];
            }
        }
    }

    [Inlined]
    private static void LoadInputs(ArrayView<Float4> source, int row, int pitch, Float4[] inputs, int place, int chunk, int end)
    {
        if (chunk < end)
        {
            for (int i = Unroll.From(0); i < ColumnTiles; i++)
            {
                for (int unit = Unroll.From(0); unit < InputUnits; unit++)
                {
                    inputs[(((place * ColumnTiles) + i) * InputUnits) + unit] = source[row + (i * 8 * pitch) + (chunk * 4 * InputUnits) + unit];
                }
            }
        }
    }
}

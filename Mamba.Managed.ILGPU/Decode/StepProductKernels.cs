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
/// bfloat16. The instructions truncate sums, so the sum of each chunk starts from zero and is added to the others by a rounded addition.
/// </para>
/// <para>
/// All that does not depend on the kernel before is on its way before that is waited for: weights, slots, and what the convolution needs.
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

    /// <summary>Whether the outputs go on to the convolution: the input projection.</summary>
    private const bool Convolves = false;

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

    /// <summary>Outputs of a thread.</summary>
    private const int Outputs = ((Rows * Columns) + (Warps * 32) - 1) / (Warps * 32);

    /// <summary>Whether slots are read ahead: those of many outputs would take registers that the product needs.</summary>
    private const bool SlotsFirst = Outputs <= 4;

    /// <summary>Activations of a chunk that belong to a lane, in 16-byte units: one for float32 weights, two for bfloat16.</summary>
    private const int InputUnits = BFloat16 ? 2 : 1;

    /// <summary>Entries between the sums of two sequences in shared memory: lanes of a warp then hit different banks.</summary>
    private const int SumPitch = Rows + 4;

    [Unrolled("EmulatedBFloat16", "BFloat16=true")]
    [Unrolled("EmulatedIn", "Convolves=true")]
    [Unrolled("EmulatedInBFloat16", "Convolves=true", "BFloat16=true")]
    [Unrolled("In8", "Emulated=false", "Convolves=true", "ColumnTiles=1", "Depth=4")]
    [Unrolled("In16", "Emulated=false", "Convolves=true", "Depth=4")]
    [Unrolled("In32", "Emulated=false", "Convolves=true", "ColumnTiles=4", "Depth=4")]
    [Unrolled("Out8", "Emulated=false", "RowTiles=1", "ColumnTiles=1", "Depth=4")]
    [Unrolled("Out16", "Emulated=false", "RowTiles=1", "Depth=4")]
    [Unrolled("Out32", "Emulated=false", "RowTiles=1", "ColumnTiles=4", "Depth=4")]
    [Unrolled("Head8", "Emulated=false", "RowTiles=4", "ColumnTiles=1", "Warps=4")]
    [Unrolled("Head16", "Emulated=false", "RowTiles=4", "Warps=4")]
    [Unrolled("Head32", "Emulated=false", "RowTiles=4", "ColumnTiles=4", "Warps=4")]
    [Unrolled("InBFloat16x8", "Emulated=false", "Convolves=true", "BFloat16=true", "ColumnTiles=1", "Depth=4")]
    [Unrolled("InBFloat16x16", "Emulated=false", "Convolves=true", "BFloat16=true", "Depth=4")]
    [Unrolled("InBFloat16x32", "Emulated=false", "Convolves=true", "BFloat16=true", "ColumnTiles=4")]
    [Unrolled("OutBFloat16x8", "Emulated=false", "BFloat16=true", "RowTiles=1", "ColumnTiles=1")]
    [Unrolled("OutBFloat16x16", "Emulated=false", "BFloat16=true", "RowTiles=1")]
    [Unrolled("OutBFloat16x32", "Emulated=false", "BFloat16=true", "RowTiles=1", "ColumnTiles=4")]
    [Unrolled("HeadBFloat16x8", "Emulated=false", "BFloat16=true", "RowTiles=3", "ColumnTiles=1", "Warps=4")]
    [Unrolled("HeadBFloat16x16", "Emulated=false", "BFloat16=true", "RowTiles=3", "Warps=4")]
    [Unrolled("HeadBFloat16x32", "Emulated=false", "BFloat16=true", "RowTiles=3", "ColumnTiles=4", "Warps=4")]
    internal static void Template(StepProductArguments arguments)
    {
        Overlap.LetNextBegin();
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

        int[] weightRows = new int[RowTiles];
        for (int i = Unroll.From(0); i < RowTiles; i++)
        {
            // Tiles beyond the last repeat it; what they give is not stored.
            weightRows[i] = ((IntrinsicMath.Min(row + (16 * i), arguments.Rows - 16) + g) * arguments.WeightPitch) + t;
        }

        Float4[] weights = new Float4[Depth * RowTiles * 2];
        Float4[] inputs = new Float4[2 * ColumnTiles * InputUnits];
        int chunk = first + warp;
        for (int d = Unroll.From(0); d < Depth; d++)
        {
            LoadWeights(arguments, weightRows, weights, d, chunk + (d * Warps), end);
        }

        int[] slots = new int[Outputs];
        if (SlotsFirst)
        {
            LoadSlots(arguments, column, slots);
        }

        float[] before = new float[Outputs * StepConvolution.Recent];
        float[] taps = new float[StepConvolution.Recent + 1];
        if (Convolves)
        {
            LoadConvolution(arguments.Convolution, row + (Group.IdxX % Rows), slots, before, taps);
        }

        Overlap.WaitForPrevious();
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
                    LoadWeights(arguments, weightRows, weights, d, current + (Depth * Warps), end);
                    LoadInputs(arguments.Input, inputRow, arguments.InputPitch, inputs, d & 1, current + (2 * Warps), end);
                }
            }
        }

        if (!SlotsFirst)
        {
            LoadSlots(arguments, column, slots);
        }

        Share(sums, shared, warp * Columns * SumPitch, g, t);
        Group.Barrier();
        for (int k = Unroll.From(0); k < Outputs; k++)
        {
            int i = Group.IdxX + (k * Warps * 32);
            int output = row + (i % Rows);
            if (i < Rows * Columns && slots[k] >= 0 && output < arguments.Rows)
            {
                float value = Total(shared, (i / Rows * SumPitch) + (i % Rows));
                if (Convolves)
                {
                    Store(arguments.Convolution, column + (i / Rows), slots[k], output, value, before, k, taps);
                }
                else
                {
                    arguments.Target[(((Grid.IdxY * (long)arguments.TargetSequences) + column + (i / Rows)) * arguments.TargetPitch) + output] = value;
                }
            }
        }
    }

    /// <summary>The slot of each of the thread's outputs, whose sequence may not be there.</summary>
    [Inlined]
    private static void LoadSlots(StepProductArguments arguments, int column, int[] slots)
    {
        for (int k = Unroll.From(0); k < Outputs; k++)
        {
            int sequence = column + ((Group.IdxX + (k * Warps * 32)) / Rows);
            slots[k] = sequence < arguments.Sequences ? arguments.Slots[sequence] : -1;
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

    [Inlined]
    private static void LoadWeights(StepProductArguments arguments, int[] rows, Float4[] weights, int place, int chunk, int end)
    {
        if (chunk < end)
        {
            for (int i = Unroll.From(0); i < RowTiles * 2; i++)
            {
                weights[(place * RowTiles * 2) + i] = arguments.Weights[rows[i >> 1] + ((i & 1) * 8 * arguments.WeightPitch) + (chunk * 4)];
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

using ILGPU;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>One chunk's products: lane 4 g + t has rows g and g + 8 of each tile of weights, sequence g of each tile of activations, and the t-th 16 bytes of both.</summary>
internal static partial class StepProductKernels
{
    private const uint UpperHalf = 0xFFFF0000u;
    private const uint UpperOfTf32 = 0xFFFFE000u;

    [Inlined]
    private static void Clear(float[] sums)
    {
        if (!Emulated)
        {
            Ptx.Declare("sum", RowTiles * ColumnTiles * 4);
            Ptx.Declare("part", ColumnTiles * 4);
            Ptx.Declare("zero", 1);
            Ptx.SetZero("zero", 0);
        }

        for (int i = Unroll.From(0); i < RowTiles * ColumnTiles * 4; i++)
        {
            if (Emulated)
            {
                sums[i] = 0f;
            }
            else
            {
                Ptx.SetZero("sum", i);
            }
        }
    }

    [Inlined]
    private static void Multiply(Float4[] weights, int place, Float4[] inputs, int inputPlace, float[] sums, ArrayView<float> shared)
    {
        uint[] inputHigh = new uint[ColumnTiles * 4];
        uint[] inputLow = new uint[ColumnTiles * 4];
        for (int i = Unroll.From(0); i < ColumnTiles; i++)
        {
            SplitInputs(inputs, (inputPlace * ColumnTiles) + i, inputHigh, inputLow, i * 4);
        }

        for (int tile = Unroll.From(0); tile < RowTiles; tile++)
        {
            uint[] high = new uint[8];
            uint[] low = new uint[8];
            for (int i = Unroll.From(0); i < 8; i++)
            {
                SplitWeight(weights[(((place * RowTiles) + tile) * 2) + (i >> 2)][i & 3], high, low, i);
            }

            float[] parts = new float[ColumnTiles * 4];
            if (!BFloat16)
            {
                MultiplyTile(parts, low, inputHigh, true, shared);
            }

            MultiplyTile(parts, high, inputLow, BFloat16, shared);
            MultiplyTile(parts, high, inputHigh, false, shared);
            AddTile(sums, tile, parts);
        }
    }

    /// <summary>Adds one product to the chunk's sums of a tile of rows, or begins them with it.</summary>
    [Inlined]
    private static void MultiplyTile(float[] parts, uint[] weights, uint[] inputs, bool isFirst, ArrayView<float> shared)
    {
        for (int step = Unroll.From(0); step < 4; step += 2)
        {
            for (int i = Unroll.From(0); i < ColumnTiles; i++)
            {
                Add(parts, i * 4, weights[step], weights[step + 4], weights[step + 1], weights[step + 5], inputs[(i * 4) + step], inputs[(i * 4) + step + 1], isFirst && step == 0, shared);
            }
        }
    }

    [Inlined]
    private static void AddTile(float[] sums, int tile, float[] parts)
    {
        for (int i = Unroll.From(0); i < ColumnTiles * 4; i++)
        {
            if (Emulated)
            {
                sums[(tile * ColumnTiles * 4) + i] += parts[i];
            }
            else
            {
                Ptx.Add("sum", (tile * ColumnTiles * 4) + i, "part", i);
            }
        }
    }

    [Inlined]
    private static void SplitInputs(Float4[] inputs, int tile, uint[] high, uint[] low, int start)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            if (BFloat16)
            {
                SplitPair(inputs[(tile * InputUnits) + (i >> 1)][(i & 1) * 2], inputs[(tile * InputUnits) + (i >> 1)][((i & 1) * 2) + 1], high, low, start + i);
            }
            else
            {
                SplitTf32(inputs[tile][i], high, low, start + i);
            }
        }
    }

    [Inlined]
    private static void SplitWeight(float word, uint[] high, uint[] low, int index)
    {
        if (BFloat16)
        {
            high[index] = Interop.FloatAsInt(word);
        }
        else
        {
            SplitTf32(word, high, low, index);
        }
    }

    [Inlined]
    private static void SplitTf32(float value, uint[] high, uint[] low, int index)
    {
        high[index] = Interop.FloatAsInt(value) & UpperOfTf32;
        low[index] = Interop.FloatAsInt(value - Interop.IntAsFloat(high[index]));
    }

    /// <summary>Parts two float32 into pairs of bfloat16: the nearest ones (ties away from zero) and the nearest to what they leave.</summary>
    [Inlined]
    private static void SplitPair(float first, float second, uint[] high, uint[] low, int index)
    {
        uint a = (Interop.FloatAsInt(first) + 0x8000u) & UpperHalf;
        uint b = (Interop.FloatAsInt(second) + 0x8000u) & UpperHalf;
        high[index] = b | (a >> 16);
        uint c = Interop.FloatAsInt(first - Interop.IntAsFloat(a)) + 0x8000u;
        uint d = (Interop.FloatAsInt(second - Interop.IntAsFloat(b)) + 0x8000u) & UpperHalf;
        low[index] = d | (c >> 16);
    }

    [Inlined]
    private static void Add(float[] parts, int index, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, bool isFirst, ArrayView<float> shared)
    {
        if (Emulated)
        {
            Exchange(parts, index, a0, a1, a2, a3, b0, b1, shared);
        }
        else if (BFloat16)
        {
            Ptx.MultiplyBFloat16("part", index, a0, a1, a2, a3, b0, b1, isFirst);
        }
        else
        {
            Ptx.MultiplyTf32("part", index, a0, a1, a2, a3, b0, b1, isFirst);
        }
    }

    /// <summary>What the matrix instruction does, as the PTX manual defines its fragments: lane 4 g + t sums rows g and g + 8, columns 2 t and 2 t + 1.</summary>
    [Inlined]
    private static void Exchange(float[] sums, int index, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, ArrayView<float> shared)
    {
        // The warp's own part of the memory in which sums meet at the end.
        ArrayView<uint> words = shared.SubView((Group.IdxX >> 5) * Columns * SumPitch, 6 * 32).Cast<uint>();
        int lane = Group.IdxX & 31;
        Warp.Barrier();
        words[lane] = a0;
        words[lane + 32] = a2;
        words[lane + 64] = a1;
        words[lane + 96] = a3;
        words[lane + 128] = b0;
        words[lane + 160] = b1;
        Warp.Barrier();
        int row = lane & 28;
        int column = 128 + ((lane & 3) * 8);
        for (int k = Unroll.From(0); k < 8; k++)
        {
            int place = ((k >> 2) * 32) + (k & 3);
            sums[index] += Term(words[row + place], words[column + place]);
            sums[index + 1] += Term(words[row + place], words[column + 4 + place]);
            sums[index + 2] += Term(words[row + 64 + place], words[column + place]);
            sums[index + 3] += Term(words[row + 64 + place], words[column + 4 + place]);
        }
    }

    [Inlined]
    private static float Term(uint a, uint b) => BFloat16
        ? (Interop.IntAsFloat(a & UpperHalf) * Interop.IntAsFloat(b & UpperHalf)) + (Interop.IntAsFloat(a << 16) * Interop.IntAsFloat(b << 16))
        : Interop.IntAsFloat(a) * Interop.IntAsFloat(b);

    [Inlined]
    private static void Share(float[] sums, ArrayView<float> shared, int start, int g, int t)
    {
        for (int tile = Unroll.From(0); tile < RowTiles; tile++)
        {
            for (int i = Unroll.From(0); i < ColumnTiles; i++)
            {
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    int column = (i * 8) + (2 * t) + (j & 1);
                    shared[start + (column * SumPitch) + (tile * 16) + (j >> 1 << 3) + g] = Sum(sums, (((tile * ColumnTiles) + i) * 4) + j);
                }
            }
        }
    }

    [Inlined]
    private static float Sum(float[] sums, int index) => Emulated ? sums[index] : Ptx.Read("sum", index);
}

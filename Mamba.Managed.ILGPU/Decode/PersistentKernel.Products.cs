using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>Rows of weights times a vector in shared memory. A warp has its first weights in registers before the vector is there.</summary>
internal static partial class PersistentKernel
{
    /// <summary>Where an entry of a vector lies in shared memory.</summary>
    /// <remarks>Eight bfloat16 meet two times four entries; those lie in two halves, so that threads side by side read from different banks.</remarks>
    private static int VectorPlace(bool bfloat16, int index, int length) =>
        bfloat16 ? (index >> 3 << 2) + (index & 3) + ((index >> 2 & 1) * (length / 2)) : index;

    /// <summary>Loads the first weights of a unit.</summary>
    [Inlined]
    private static void Load(ArrayView<Float4> origin, long place, WeightUnit unit, Float4[] weights) => LoadSome(origin, place, unit, weights, 0, weights.Length);

    /// <summary>Loads the first of them.</summary>
    [Inlined]
    private static void LoadEarly(ArrayView<Float4> origin, long place, WeightUnit unit, Float4[] weights) => LoadSome(origin, place, unit, weights, 0, EarlyDepth);

    /// <summary>Loads the others.</summary>
    [Inlined]
    private static void LoadLate(ArrayView<Float4> origin, long place, WeightUnit unit, Float4[] weights) => LoadSome(origin, place, unit, weights, EarlyDepth, weights.Length);

    [Inlined]
    private static void LoadSome(ArrayView<Float4> origin, long place, WeightUnit unit, Float4[] weights, int first, int end)
    {
        int lane = Group.IdxX & 31;
        ArrayView<Float4> source = origin.SubView(place + unit.Row + unit.Begin + lane);
        for (int i = Unroll.From(first); i < end; i++)
        {
            if (unit.Begin + lane + (32 * i) < unit.End)
            {
                weights[i] = source[32 * i];
            }
        }
    }

    /// <summary>Each unit's sum goes to shared memory, [units], or times a factor to the logits. The first weights of the warp's first unit have been loaded.</summary>
    [Inlined]
    private static void Multiply(
        ArrayView<Float4> origin, WeightSlice slice, WeightUnit unit, ArrayView<Float4> vector, Float4[] weights, ArrayView<float> sums, float factor, bool areRows)
    {
        int lane = Group.IdxX & 31;
        int warps = Group.DimX >> 5;
        int units = areRows ? slice.Rows : slice.Units;
        for (int index = Group.IdxX >> 5; index < units; index += warps)
        {
            float sum = Dot(origin, slice, unit, vector, weights, lane);
            if (index + warps < units)
            {
                unit = areRows ? slice.Row(index + warps) : slice.Unit(index + warps);
                Load(origin, slice.Place, unit, weights);
            }

            sum = Lanes.Sum(sum);
            if (lane == 0)
            {
                sums[areRows ? slice.Start + index : index] = sum * factor;
            }
        }
    }

    /// <summary>A thread's share of a unit's sum.</summary>
    [Inlined]
    private static float Dot(ArrayView<Float4> origin, WeightSlice slice, WeightUnit unit, ArrayView<Float4> vector, Float4[] weights, int lane)
    {
        float sum = 0;
        bool isDone = false;
        while (!isDone)
        {
            ArrayView<Float4> input = vector.SubView(unit.Begin + lane);
            for (int i = Unroll.From(0); i < weights.Length; i++)
            {
                if (unit.Begin + lane + (32 * i) < unit.End)
                {
                    sum += BFloat16 ? BFloat16Pairs.Dot(weights[i], input[32 * i], input[slice.Length + (32 * i)]) : Dot(weights[i], input[32 * i]);
                }
            }

            unit.Begin += 32 * weights.Length;
            isDone = unit.Begin >= unit.End;
            if (!isDone)
            {
                Load(origin, slice.Place, unit, weights);
            }
        }

        return sum;
    }

    private static float Dot(Float4 a, Float4 b) => (a.X * b.X) + (a.Y * b.Y) + ((a.Z * b.Z) + (a.W * b.W));

    /// <summary>The sum of a row's parts.</summary>
    private static float RowSum(ArrayView<float> sums, int row, int parts)
    {
        float sum = 0;
        for (int part = 0; part < parts; part++)
        {
            sum += sums[(row * parts) + part];
        }

        return sum;
    }
}

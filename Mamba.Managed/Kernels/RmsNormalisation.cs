using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>RMS normalisation of a row: y = x / sqrt(mean(x^2) + epsilon) * weight.</summary>
/// <remarks>Zhang and Sennrich 2019, equation 4; epsilon inside the root as in state-spaces/mamba. The squares are summed in 16 virtual lanes and then by a fixed tree, so the result does not depend on the vector width.</remarks>
internal static unsafe class RmsNormalisation
{
    private const int VirtualLanes = 16;

    /// <summary>Normalises one row.</summary>
    /// <param name="x">[features]</param>
    /// <param name="weight">[features], or empty for none.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="y">[features]; may be <paramref name="x"/> itself.</param>
    public static void Forward(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
    {
        Throw.UnlessLength(x.Length, y.Length);
        Throw.UnlessLength(weight.IsEmpty ? 0 : x.Length, weight.Length);
        fixed (float* input = x, output = y, scale = weight)
        {
            float inverse = 1 / MathF.Sqrt((SumOfSquares(input, x.Length) / x.Length) + epsilon);
            for (int i = 0; i < x.Length; i++)
            {
                float normal = input[i] * inverse;
                output[i] = scale is null ? normal : normal * scale[i];
            }
        }
    }

    private static float SumOfSquares(float* x, int count)
    {
        float* lanes = stackalloc float[VirtualLanes];
        int whole = count - (count % VirtualLanes);
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                SumLanes<Lanes512, Vector512<float>>(x, whole, lanes);
                break;
            case InstructionSet.Avx2:
                SumLanes<Lanes256, Vector256<float>>(x, whole, lanes);
                break;
            case InstructionSet.Vector128:
                SumLanes<Lanes128, Vector128<float>>(x, whole, lanes);
                break;
            default:
                SumLanes<LanesScalar, float>(x, whole, lanes);
                break;
        }

        for (int i = whole; i < count; i++)
        {
            lanes[i - whole] = MathF.FusedMultiplyAdd(x[i], x[i], lanes[i - whole]);
        }

        for (int half = VirtualLanes / 2; half > 0; half /= 2)
        {
            for (int i = 0; i < half; i++)
            {
                lanes[i] += lanes[i + half];
            }
        }

        return lanes[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumLanes<L, V>(float* x, int count, float* lanes)
        where L : struct, ILanes<V>
    {
        for (int lane = 0; lane < VirtualLanes; lane += L.Count)
        {
            V sum = L.Broadcast(0);
            for (int i = lane; i < count; i += VirtualLanes)
            {
                V value = L.Load(x + i);
                sum = L.MultiplyAdd(value, value, sum);
            }

            L.Store(lanes + lane, sum);
        }
    }
}

using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>The numerators of a softmax: y = exp((x - max) scale), 1 at the largest entry.</summary>
/// <remarks>Any entry of minus infinity gives 0. The same bits at every vector width.</remarks>
internal static unsafe class SoftmaxWeights
{
    /// <summary>Computes the numerators.</summary>
    /// <param name="x">[n]: no NaN, none above <paramref name="max"/>.</param>
    /// <param name="max">The largest entry; finite.</param>
    /// <param name="scale">1 / temperature; positive, may be infinite.</param>
    /// <param name="y">[n]; may be <paramref name="x"/> itself.</param>
    public static void Forward(ReadOnlySpan<float> x, float max, float scale, Span<float> y)
    {
        Throw.UnlessLength(x.Length, y.Length);

        // An infinite scale would turn the largest entry into 0 x infinity; the largest float separates any two different entries just as well.
        scale = MathF.Min(scale, float.MaxValue);
        fixed (float* input = x, output = y)
        {
            Widths.Run(new Kernel(input, max, scale, output), 0, x.Length);
        }
    }

    /// <summary>The sum of the entries in double precision: 8 partial sums, added in a fixed tree.</summary>
    public static double Sum(ReadOnlySpan<float> values)
    {
        double a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
        int i = 0;
        for (; i + 8 <= values.Length; i += 8)
        {
            a += values[i];
            b += values[i + 1];
            c += values[i + 2];
            d += values[i + 3];
            e += values[i + 4];
            f += values[i + 5];
            g += values[i + 6];
            h += values[i + 7];
        }

        double rest = 0;
        for (; i < values.Length; i++)
        {
            rest += values[i];
        }

        return (((a + b) + (c + d)) + ((e + f) + (g + h))) + rest;
    }

    private readonly struct Kernel(float* x, float max, float scale, float* y) : IRangeKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            int i = start;
            for (; i + L.Count <= end; i += L.Count)
            {
                V shifted = L.Multiply(L.Subtract(L.Load(x + i), L.Broadcast(max)), L.Broadcast(scale));
                L.Store(y + i, Elementary.Exp<L, V>(shifted));
            }

            return i;
        }
    }
}

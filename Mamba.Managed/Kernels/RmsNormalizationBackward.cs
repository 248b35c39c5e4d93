using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Gradients of <see cref="RmsNormalization"/>.</summary>
/// <remarks>
/// With r = 1 / sqrt(mean(x^2) + epsilon) and y = x r w:
/// <code>
/// dx = r w dy - x r^3 mean(w dy x)        dw += sum over rows of dy x r
/// </code>
/// Means have the fixed order of <see cref="VirtualLanes"/>; dw is one chain of multiply-adds over the rows in ascending order.
/// </remarks>
internal static unsafe class RmsNormalizationBackward
{
    /// <summary>The gradient of one row.</summary>
    /// <param name="x">[features]</param>
    /// <param name="weight">[features] or null for none.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="dy">[features]</param>
    /// <param name="dx">[features]; may be <paramref name="dy"/> itself, not x.</param>
    /// <param name="features">How many features.</param>
    /// <param name="add">Whether the gradient is added to dx.</param>
    /// <returns>r, as <see cref="Weight"/> needs it.</returns>
    public static float Input(float* x, float* weight, float epsilon, float* dy, float* dx, int features, bool add)
    {
        Debug.Assert(dx != x, "dx must not overwrite x");
        float inverse = 1 / MathF.Sqrt((VirtualLanes.Dot(x, x, null, features) / features) + epsilon);
        float pull = VirtualLanes.Dot(x, dy, weight, features) / features * inverse * inverse * inverse;
        Widths.Run(new InputKernel(x, weight, dy, dx, inverse, pull, add), 0, features);
        return inverse;
    }

    /// <summary>Adds the gradient of the weight for the features [start, end).</summary>
    /// <param name="x">[rows, features]</param>
    /// <param name="inverses">[rows]: what <see cref="Input"/> returned for each.</param>
    /// <param name="dy">[rows, features]</param>
    /// <param name="dw">[features]</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="features">How many features.</param>
    /// <param name="start">First feature.</param>
    /// <param name="end">End of the features.</param>
    public static void Weight(float* x, float* inverses, float* dy, float* dw, int rows, int features, int start, int end)
    {
        for (int row = 0; row < rows; row++, x += features, dy += features)
        {
            float inverse = inverses[row];
            for (int i = start; i < end; i++)
            {
                dw[i] = MathF.FusedMultiplyAdd(dy[i], x[i] * inverse, dw[i]);
            }
        }
    }

    private readonly struct InputKernel(float* x, float* weight, float* dy, float* dx, float inverse, float pull, bool add) : IRangeKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            V r = L.Broadcast(inverse), k = L.Broadcast(pull);
            int i = start;
            for (; i + L.Count <= end; i += L.Count)
            {
                V g = L.Load(dy + i);
                g = weight is null ? g : L.Multiply(g, L.Load(weight + i));
                g = L.Subtract(L.Multiply(r, g), L.Multiply(k, L.Load(x + i)));
                L.Store(dx + i, add ? L.Add(L.Load(dx + i), g) : g);
            }

            return i;
        }
    }
}

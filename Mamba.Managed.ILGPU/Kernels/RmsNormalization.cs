using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>RMS normalization of each column: y = x / sqrt(mean(x^2) + epsilon) * weight.</summary>
/// <remarks>Zhang and Sennrich 2019, equation 4; epsilon inside the root as in state-spaces/mamba.</remarks>
internal static partial class RmsNormalization
{
    /// <summary>Normalizes each column.</summary>
    /// <param name="session">Where it runs.</param>
    /// <param name="x">[rows, tokens], float32 or bfloat16; rows beyond the features are zero.</param>
    /// <param name="features">The number of which the mean is taken.</param>
    /// <param name="weight">[rows], zero beyond the features; empty for ones.</param>
    /// <param name="epsilon">Added to the mean square inside the root.</param>
    /// <param name="columns">How many, at most the pitch.</param>
    /// <param name="y">[rows, tokens], float32 or bfloat16; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">Shapes contradict one another.</exception>
    public static void Forward(GpuSession session, DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, int columns, DeviceMatrix y)
    {
        if (y.Rows != x.Rows || Math.Min(x.Pitch, y.Pitch) < columns || features < 1 || features > x.Rows || (weight.Length > 0 && weight.Length < x.Rows))
        {
            throw new ArgumentException(
                $"expected {features} features, a weight of {x.Rows} or none and [{x.Rows}, {columns}], found a weight of {weight.Length}, pitches of {x.Pitch} and {y.Pitch} and {y.Rows} rows");
        }

        if (columns > 0 && session.IsFast)
        {
            Fast(session, x, features, weight, epsilon, columns, y);
        }
        else if (columns > 0)
        {
            Plain(session, x, features, weight, epsilon, columns, y);
        }
    }

    internal static void Plain(GpuSession session, DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, int columns, DeviceMatrix y) =>
        session.Plain<Arguments>(PlainKernel)(columns, new(x, features, weight, epsilon, y));

    private static void PlainKernel(Index1D column, Arguments p)
    {
        float sum = 0;
        for (int row = 0; row < p.Features; row++)
        {
            float value = p.X.Read(row, column);
            sum += value * value;
        }

        float scale = p.ScaleOf(sum);
        for (int row = 0; row < p.Rows; row++)
        {
            p.Y.Write(row, column, p.X.Read(row, column) * scale * p.WeightOf(row));
        }
    }

    // A column of padding is zero and stays so where epsilon is zero too.
    private static float Scale(float sum, int features, float epsilon)
    {
        float square = (sum / features) + epsilon;
        return square > 0 ? XMath.Rsqrt(square) : 0;
    }

    internal readonly struct Arguments(DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, DeviceMatrix y)
    {
        public readonly Entries X = new(x, transposed: false);
        public readonly Entries Y = new(y, transposed: false);
        public readonly ArrayView<float> Weight = weight.Length > 0 ? weight : x.Data.Cast<float>();
        public readonly int HasWeight = weight.Length > 0 ? 1 : 0;
        public readonly float Epsilon = epsilon;
        public readonly int Features = features;
        public readonly int Rows = x.Rows;

        public float WeightOf(int row) => HasWeight != 0 ? Weight[row] : 1f;

        public float ScaleOf(float sum) => Scale(sum, Features, Epsilon);
    }
}

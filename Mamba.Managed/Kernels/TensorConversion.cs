using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Mamba.Managed.Threading;
using Tensor = Mamba.Managed.Tensors.Tensor;

namespace Mamba.Managed.Kernels;

/// <summary>Converts elements between the types of tensors, row by row.</summary>
public static class TensorConversion
{
    // Elements of a work item at least: enough that handing it to a thread costs nothing in comparison.
    private const int LeastElements = 1 << 14;

    /// <summary>The tensor itself if it has that type already, otherwise a copy converted through single precision.</summary>
    /// <param name="tensor">Of any type but <see cref="ElementType.Int64"/>.</param>
    /// <param name="type">Any but <see cref="ElementType.Int64"/>.</param>
    /// <param name="threads">How many threads convert rows; 0 for one per processor. The bits do not depend on it.</param>
    /// <remarks>Values are rounded to nearest: beyond the range of a type of 16 bits to infinity, below it to 0.</remarks>
    /// <exception cref="ArgumentException">
    /// The rows are not whole blocks, or a quantized type is to hold a value that is not finite or beyond 65504.
    /// </exception>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public static Tensor ConvertTo(this Tensor tensor, ElementType type, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Convert(tensor, type, threads, null);
    }

    /// <summary>As <see cref="ConvertTo"/> for a weight of a model, of which neither a finite value may become infinite nor all values 0.</summary>
    /// <param name="tensor">Of any type but <see cref="ElementType.Int64"/>.</param>
    /// <param name="type">Any but <see cref="ElementType.Int64"/>.</param>
    /// <param name="threads">0 for one per processor.</param>
    /// <param name="name">The tensor's, which an error begins with.</param>
    /// <param name="mayVanish">Whether all values may become 0, as the first steps of a training run may be that small.</param>
    /// <exception cref="ArgumentException">See <see cref="ConvertTo"/>, or the type cannot hold the values.</exception>
    internal static Tensor ConvertWeight(this Tensor tensor, ElementType type, int threads, string name, bool mayVanish = false)
    {
        ConversionLoss loss = new(name, type);
        Tensor converted = Convert(tensor, type, threads, loss);
        if (!mayVanish)
        {
            loss.RequireValues();
        }

        return converted;
    }

    private static Tensor Convert(Tensor tensor, ElementType type, int threads, ConversionLoss? loss)
    {
        if (type == tensor.Type)
        {
            return tensor;
        }

        ArgumentOutOfRangeException.ThrowIfEqual((int)type, (int)ElementType.Int64, nameof(type));
        Tensor converted = Tensor.Zeros(type, tensor.Shape);
        Convert(tensor, converted, threads, loss);
        return converted;
    }

    /// <summary>Fills <paramref name="destination"/> with the elements of <paramref name="source"/>, rounded to its type.</summary>
    /// <param name="source">Of any type but integers.</param>
    /// <param name="destination">Of the same shape.</param>
    /// <param name="threads">0 for one per processor.</param>
    /// <param name="loss">Sees all values before and after; null for none.</param>
    private static void Convert(Tensor source, Tensor destination, int threads, ConversionLoss? loss)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        if (source.Count == 0)
        {
            return;
        }

        int width = source.Shape.IsEmpty ? 1 : source.Shape[^1];
        int rows = source.Count / width;
        int chunk = Math.Min(rows, Math.Max(1, LeastElements / width));
        int chunks = (rows + chunk - 1) / chunk;
        threads = Math.Min(threads == 0 ? Environment.ProcessorCount : threads, chunks);
        using TensorBuffer.Lease reading = source.Buffer.Acquire(), writing = destination.Buffer.Acquire();
        ParallelLoop.For(chunks, threads, index =>
        {
            float[] buffer = ArrayPool<float>.Shared.Rent(chunk * width);
            int first = index * chunk * width;
            Span<float> values = buffer.AsSpan(0, Math.Min(chunk, rows - (index * chunk)) * width);
            source.CopyTo(first, values);
            Span<byte> bytes = destination.Buffer.Span<byte>(
                destination.Offset + destination.Type.ByteLength(first), (int)destination.Type.ByteLength(values.Length));
            loss?.RequireRange(values);
            Store(values, destination.Type, bytes);
            loss?.Add(values, bytes);
            ArrayPool<float>.Shared.Return(buffer);
        });
    }

    /// <summary>Root mean square of the difference of two tensors of one shape, over that of the first; 0 where both are zeros.</summary>
    internal static double RelativeError(Tensor expected, Tensor found)
    {
        int width = expected.Shape[^1];
        int chunk = Math.Max(1, LeastElements / Math.Max(width, 1)) * width;
        float[] a = new float[chunk], b = new float[chunk];
        (double error, double size) = (0, 0);
        for (int first = 0; first < expected.Count; first += chunk)
        {
            Span<float> x = a.AsSpan(0, Math.Min(chunk, expected.Count - first)), y = b.AsSpan(0, x.Length);
            expected.CopyTo(first, x);
            found.CopyTo(first, y);
            size += TensorPrimitives.SumOfSquares<float>(x);
            TensorPrimitives.Subtract(x, y, y);
            error += TensorPrimitives.SumOfSquares<float>(y);
        }

        return error == 0 ? 0 : Math.Sqrt(error / size);
    }

    private static void Store(ReadOnlySpan<float> values, ElementType type, Span<byte> bytes)
    {
        switch (type)
        {
            case ElementType.Float32:
                values.CopyTo(MemoryMarshal.Cast<byte, float>(bytes));
                break;
            case ElementType.Float16:
                TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<byte, Half>(bytes));
                break;
            case ElementType.BFloat16:
                Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < halves.Length; i++)
                {
                    halves[i] = ToBFloat16(values[i]);
                }

                break;
            default:
                BlockFormats.Quantize(type, values, bytes);
                break;
        }
    }

    // Rounds to nearest, ties to even. A carry out of the fraction increments the exponent, up to infinity.
    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}

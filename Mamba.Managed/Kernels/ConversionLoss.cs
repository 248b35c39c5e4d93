using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>Watches over the conversion of one tensor to a narrower type: no finite value becomes infinite, and not every value becomes 0.</summary>
/// <remarks>
/// Costs one pass for the largest magnitude. What is not 0 is looked for only until the first such value is found. Several threads may add parts.
/// </remarks>
/// <param name="name">The tensor's, which errors begin with.</param>
/// <param name="type">The type to convert to.</param>
internal sealed class ConversionLoss(string name, ElementType type)
{
    // The largest value of binary16, and the next one of 16 bits after it, halfway to which rounding goes to infinity.
    private const float LargestHalf = 65504, RoundsToInfinity = 65520;

    // As RoundsToInfinity, for bfloat16: 2^128 - 2^119.
    private const float RoundsToInfinityInBFloat16 = 3.3961775e38f;

    // A minimum that is fitted to the values of a block may lie beyond all of them, by less than their range.
    private const float SafeInBlocks = 16384;

    private volatile bool anyBefore;
    private volatile bool anyAfter;
    private float example;

    /// <summary>Throws if a value is beyond the range of the type.</summary>
    public void RequireRange(ReadOnlySpan<float> values)
    {
        if (type is ElementType.Float32 || values.IsEmpty)
        {
            return;
        }

        float largest = Math.Abs(TensorPrimitives.MaxMagnitude(values));
        bool fits = type switch
        {
            ElementType.Float16 => largest < RoundsToInfinity,
            ElementType.BFloat16 => largest < RoundsToInfinityInBFloat16,
            _ => largest <= LargestHalf,
        };
        if (!fits)
        {
            RequireEach(values);
        }
    }

    /// <summary>Adds a part of the tensor.</summary>
    /// <param name="values">Before the conversion.</param>
    /// <param name="bytes">After it.</param>
    public void Add(ReadOnlySpan<float> values, ReadOnlySpan<byte> bytes)
    {
        if (type is ElementType.Float32)
        {
            return;
        }

        if (type.IsQuantized() && Math.Abs(TensorPrimitives.MaxMagnitude(values)) > SafeInBlocks)
        {
            RequireFiniteBlocks(values, bytes);
        }

        if (!anyBefore && values.IndexOfAnyExcept(0f) is int first and >= 0)
        {
            (example, anyBefore) = (values[first], true);
        }

        // Zeros before need no look at what they became.
        anyAfter = anyAfter || (anyBefore && AnyAfter(bytes));
    }

    /// <summary>Throws if there were values other than 0 and none is left.</summary>
    public void RequireValues()
    {
        if (anyBefore && !anyAfter)
        {
            Throw.Argument(Throw.Invariant($"{name}: expected values that {type} can hold, found values as small as {example}, which would all become 0; choose a wider type"), null);
        }
    }

    // Infinities and values that are no numbers stay what they are in 16 bits; blocks can hold neither.
    private void RequireEach(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            bool isLost = type switch
            {
                ElementType.Float16 => float.IsFinite(value) && Math.Abs(value) >= RoundsToInfinity,
                ElementType.BFloat16 => float.IsFinite(value) && Math.Abs(value) >= RoundsToInfinityInBFloat16,
                _ => !(Math.Abs(value) <= LargestHalf),
            };
            if (isLost)
            {
                Refuse(value);
            }
        }
    }

    private void RequireFiniteBlocks(ReadOnlySpan<float> values, ReadOnlySpan<byte> blocks)
    {
        float[] found = new float[values.Length];
        BlockFormats.Dequantize(type, blocks, found);
        if (!TensorPrimitives.IsFiniteAll<float>(found))
        {
            Refuse(TensorPrimitives.MaxMagnitude(values));
        }
    }

    private void Refuse(float value) => Throw.Argument(
        Throw.Invariant($"{name}: expected finite values that {type} can hold{(type == ElementType.BFloat16 ? "" : ", at most 65504 in magnitude")}, found {value}; choose a wider type"), null);

    private bool AnyAfter(ReadOnlySpan<byte> bytes)
    {
        if (!type.IsQuantized())
        {
            // Both types have 16 bits, of which the first is the sign.
            return MemoryMarshal.Cast<byte, ushort>(bytes).ContainsAnyExcept((ushort)0, (ushort)0x8000);
        }

        (int size, int length) = (type.BlockSize(), type.BlockLength());
        Span<float> values = stackalloc float[256];
        for (int at = 0; at < bytes.Length; at += size)
        {
            BlockFormats.Dequantize(type, bytes.Slice(at, size), values[..length]);
            if (values[..length].ContainsAnyExcept(0f))
            {
                return true;
            }
        }

        return false;
    }
}

using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Models;

/// <summary>The arrays of a saved state as float16, each with a power of two that brings its largest number into the range of float16.</summary>
internal static class SavedHalves
{
    public const uint Version = 3;

    // Float16 reaches from 2^-14, below which numbers lose bits, to less than 2^16. The largest number becomes one from 2^14 on, so that rounding up
    // stays in the range.
    private const int TopExponent = 14;
    private const int LeastExponent = -126;
    private const int MostExponent = 127;

    /// <summary>Writes the arrays.</summary>
    public static void Write(CheckedWriter writer, StateLayout layout, ReadOnlySpan<float> values, long position)
    {
        byte[] exponent = new byte[sizeof(int)];
        int most = layout.Arrays.IsEmpty ? 0 : layout.Arrays.Max(array => (int)array.Length(position));
        float[] scaled = new float[most];
        Half[] halves = new Half[most];
        foreach (StateArray array in layout.Arrays)
        {
            int length = (int)array.Length(position);
            ReadOnlySpan<float> own = values[..length];
            values = values[length..];
            int power = PowerOf(own);
            TensorPrimitives.Multiply(own, MathF.ScaleB(1, -power), scaled);
            TensorPrimitives.ConvertToHalf(scaled.AsSpan(0, length), halves);
            BinaryPrimitives.WriteInt32LittleEndian(exponent, power);
            writer.Write(exponent);
            writer.Write(MemoryMarshal.AsBytes(LittleEndian(halves.AsSpan(0, length))));
        }
    }

    /// <summary>Reads the arrays.</summary>
    /// <param name="reader">At the first.</param>
    /// <param name="layout">The arrays.</param>
    /// <param name="total">How many numbers all have.</param>
    /// <param name="position">The number of tokens.</param>
    /// <exception cref="InvalidDataException">The stream ends too early, or an exponent is out of range.</exception>
    public static float[] Read(CheckedReader reader, StateLayout layout, int total, long position)
    {
        // Numbers are kept as they were found until all are: what a file claims reserves no memory.
        List<(int Power, Half[] Halves)> arrays = [];
        foreach (StateArray array in layout.Arrays)
        {
            int power = BinaryPrimitives.ReadInt32LittleEndian(reader.Read(sizeof(int)));
            Throw.Unless(power is >= LeastExponent and <= MostExponent, $"expected an exponent of {LeastExponent} to {MostExponent}, found {power}; the saved state is damaged");
            arrays.Add((power, reader.ReadHalves((int)array.Length(position))));
        }

        float[] values = GC.AllocateUninitializedArray<float>(total);
        Span<float> rest = values;
        foreach ((int power, Half[] halves) in arrays)
        {
            Span<float> own = rest[..halves.Length];
            rest = rest[halves.Length..];
            TensorPrimitives.ConvertToSingle(LittleEndian(halves), own);
            TensorPrimitives.Multiply(own, MathF.ScaleB(1, power), own);
        }

        return values;
    }

    private static int PowerOf(ReadOnlySpan<float> values)
    {
        float largest = values.IsEmpty ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude(values));
        return largest > 0 && float.IsFinite(largest) ? Math.Max(MathF.ILogB(largest) - TopExponent, LeastExponent) : 0;
    }

    // Converts between the machine's byte order and little-endian.
    private static Span<Half> LittleEndian(Span<Half> halves)
    {
        if (!BitConverter.IsLittleEndian)
        {
            Span<short> words = MemoryMarshal.Cast<Half, short>(halves);
            BinaryPrimitives.ReverseEndianness(words, words);
        }

        return halves;
    }
}

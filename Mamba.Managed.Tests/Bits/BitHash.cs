using System.Globalization;

namespace Mamba.Managed.Tests.Bits;

/// <summary>A 64-bit FNV-1a hash over the bits of numbers, in the order in which they are added.</summary>
/// <remarks>Fowler, Noll and Vo; bytes are taken least significant first, so that the hash does not depend on the machine's byte order.</remarks>
internal struct BitHash()
{
    private ulong value = 0xCBF29CE484222325;

    public void Add(ReadOnlySpan<float> numbers)
    {
        foreach (float number in numbers)
        {
            Add(BitConverter.SingleToUInt32Bits(number), sizeof(float));
        }
    }

    public void Add(double number) => Add(BitConverter.DoubleToUInt64Bits(number), sizeof(double));

    public static string Of(ReadOnlySpan<float> numbers)
    {
        BitHash hash = new();
        hash.Add(numbers);
        return hash.ToString();
    }

    public override readonly string ToString() => value.ToString("X16", CultureInfo.InvariantCulture);

    private void Add(ulong bits, int bytes)
    {
        for (int i = 0; i < bytes; i++, bits >>= 8)
        {
            value = (value ^ (bits & 0xFF)) * 0x100000001B3;
        }
    }
}

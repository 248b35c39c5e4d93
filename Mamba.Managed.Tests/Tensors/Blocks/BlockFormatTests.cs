using System.Numerics.Tensors;
using System.Security.Cryptography;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Tensor = Mamba.Managed.Tensors.Tensor;

namespace Mamba.Managed.Tests.Tensors.Blocks;

public class BlockFormatTests
{
    // Root mean square error over root mean square of normal numbers: about what the bits of each format allow.
    private static readonly object[] Types =
    [
        new object[] { ElementType.Q8_0, 0.006 },
        new object[] { ElementType.Q4_0, 0.090 },
        new object[] { ElementType.Q4_1, 0.080 },
        new object[] { ElementType.Q5_0, 0.045 },
        new object[] { ElementType.Q5_1, 0.040 },
        new object[] { ElementType.Q2_K, 0.30 },
        new object[] { ElementType.Q3_K, 0.17 },
        new object[] { ElementType.Q4_K, 0.080 },
        new object[] { ElementType.Q5_K, 0.040 },
        new object[] { ElementType.Q6_K, 0.019 },
    ];

    private static readonly (ElementType Type, string Hash)[] Hashes =
    [
        (ElementType.Q8_0, "B29F8E1C157D0F22"),
        (ElementType.Q4_0, "97CABDC6CF77B653"),
        (ElementType.Q4_1, "DD22B4638C08EE0D"),
        (ElementType.Q5_0, "6912E87A8EAB0E5D"),
        (ElementType.Q5_1, "45D9EBFE150BA085"),
        (ElementType.Q2_K, "F0D81AB4EE5A6DF5"),
        (ElementType.Q3_K, "54EB57C0C5D51910"),
        (ElementType.Q4_K, "BC94ED3C1C86D42E"),
        (ElementType.Q5_K, "0830D0E5462300AA"),
        (ElementType.Q6_K, "0A0461F2E37AEA13"),
    ];

    [TestCaseSource(nameof(Types))]
    public void Normal_numbers_come_back_as_near_as_the_bits_allow(ElementType type, double tolerance)
    {
        Tensor exact = Normal(16, 512, 1);
        Tensor quantized = exact.ConvertTo(type);
        Assert.Multiple(() =>
        {
            Assert.That(quantized.ByteLength, Is.EqualTo(16 * 512 / type.BlockLength() * type.BlockSize()));
            Assert.That(Error(exact, quantized), Is.LessThan(tolerance).And.GreaterThan(tolerance / 3));
            Assert.That(TensorConversion.RelativeError(exact, quantized), Is.EqualTo(Error(exact, quantized)).Within(1e-5).Percent);
            Assert.That(TensorConversion.RelativeError(quantized, quantized), Is.Zero);
        });
    }

    [TestCaseSource(nameof(Types))]
    public void Small_and_large_scales_lose_no_more(ElementType type, double tolerance)
    {
        Tensor exact = Normal(4, 512, 2);
        foreach (float scale in new[] { 1e-2f, 1e4f })
        {
            Tensor scaled = Tensor.FromFloats([.. exact.ToArray().Select(v => v * scale)], 4, 512);
            Assert.That(Error(scaled, scaled.ConvertTo(type)), Is.LessThan(1.2 * tolerance), Throw.Invariant($"scale {scale}"));
        }
    }

    [Test]
    public void Zeros_and_values_below_the_smallest_scale_become_zeros([ValueSource(nameof(Quantized))] ElementType type)
    {
        float[] tiny = new float[512];
        tiny.AsSpan(256).Fill(1e-30f);
        Assert.That(Tensor.FromFloats(tiny, 2, 256).ConvertTo(type).ToArray(), Is.All.Zero);
    }

    [Test]
    public void The_number_of_threads_does_not_change_the_bytes([ValueSource(nameof(Quantized))] ElementType type)
    {
        Tensor exact = Normal(256, 512, 3);
        Tensor three = exact.ConvertTo(type, 3), one = exact.ConvertTo(type, 1);
        Assert.That(three.Bytes.SequenceEqual(one.Bytes));
        GC.KeepAlive((three, one));
    }

    [Test]
    public void Values_that_are_not_finite_or_too_large_are_refused([ValueSource(nameof(Quantized))] ElementType type)
    {
        foreach (float value in new[] { float.NaN, float.NegativeInfinity, 1e5f })
        {
            float[] values = new float[256];
            values[77] = value;
            Tensor tensor = Tensor.FromFloats(values, 256);
            Assert.That(() => tensor.ConvertTo(type), Throws.ArgumentException.With.Message.Contains("65504"), Throw.Invariant($"{value}"));
        }
    }

    [Test]
    public void Rows_must_be_whole_blocks([ValueSource(nameof(Quantized))] ElementType type) =>
        Assert.That(() => Tensor.Zeros(type, 256, 48), Throws.ArgumentException.With.Message.Contains("48"));

    [Test]
    public void The_bytes_are_the_same_on_every_instruction_set([ValueSource(nameof(Hashes))] (ElementType Type, string Hash) expected)
    {
        Random random = new(6);
        Tensor tensor = Tensor.Zeros(ElementType.Float32, 8, 256);
        foreach (ref float value in tensor.Floats)
        {
            value = (random.NextSingle() - 0.5f) * (random.NextSingle() - 0.5f);
        }

        Tensor quantized = tensor.ConvertTo(expected.Type);
        Assert.That(Convert.ToHexString(SHA256.HashData(quantized.Bytes), 0, 8), Is.EqualTo(expected.Hash));
        GC.KeepAlive(quantized);
    }

    [Test]
    public void Every_bit_of_a_block_counts([ValueSource(nameof(Quantized))] ElementType type)
    {
        Tensor tensor = Normal(1, 256, 4).ConvertTo(type);
        float[] before = tensor.ToArray();
        Span<byte> bytes = tensor.Buffer.Span<byte>(0, (int)tensor.ByteLength);
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(tensor.ToArray().AsSpan().SequenceEqual(before), Is.False, Throw.Invariant($"bit {bit}"));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Test]
    public void Half_types_round_to_nearest_even()
    {
        float[] values = [1, 1 + (1f / 256), 1 + (3f / 256), -3.4e38f, float.NaN, float.PositiveInfinity, 1f / 1024];
        Tensor tensor = Tensor.FromFloats(values, values.Length);
        Assert.Multiple(() =>
        {
            Assert.That(tensor.ConvertTo(ElementType.BFloat16).ToArray(), Is.EqualTo(new[] { 1, 1, 1 + (4f / 256), float.NegativeInfinity, float.NaN, float.PositiveInfinity, 1f / 1024 }));
            Assert.That(tensor.ConvertTo(ElementType.Float16).ToArray(), Is.EqualTo(values.Select(v => (float)(Half)v)));
        });
    }

    private static IEnumerable<ElementType> Quantized() => Enum.GetValues<ElementType>().Where(type => type.IsQuantized());

    private static Tensor Normal(int rows, int columns, int seed)
    {
        Random random = new(seed);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return Tensor.FromFloats(values, rows, columns);
    }

    private static double Error(Tensor exact, Tensor quantized) =>
        TensorPrimitives.Distance<float>(exact.ToArray(), quantized.ToArray()) / TensorPrimitives.Norm<float>(exact.ToArray());
}

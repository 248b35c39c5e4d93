using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Tensors;

public class TensorTests
{
    [Test]
    public void Allocated_memory_is_aligned_zero_and_of_the_shape_asked_for()
    {
        Tensor tensor = Tensor.Zeros(ElementType.Float32, 3, 5);
        Assert.Multiple(() =>
        {
            Assert.That(tensor.Count, Is.EqualTo(15));
            Assert.That(tensor.ByteLength, Is.EqualTo(60));
            Assert.That(tensor.HasShape(3, 5));
            Assert.That(tensor.ToArray(), Is.All.Zero);
            Assert.That(tensor.ToString(), Is.EqualTo("Float32 [3, 5]"));
        });
    }

    [Test]
    public void Half_types_convert_exactly()
    {
        float[] values = [1, -2.5f, 65504, 6e-8f, float.PositiveInfinity];
        Tensor half = Tensor.Zeros(ElementType.Float16, values.Length);
        Span<Half> halves = half.Buffer.Span<Half>(0, values.Length);
        for (int i = 0; i < values.Length; i++)
        {
            halves[i] = (Half)values[i];
        }

        Assert.That(half.ToArray(), Is.EqualTo(values.Select(v => (float)(Half)v)));
    }

    [TestCase(-1)]
    [TestCase(int.MinValue)]
    public void A_negative_dimension_is_refused(int dimension) =>
        Assert.That(() => Tensor.Zeros(ElementType.Float32, 2, dimension), Throws.InstanceOf<ArgumentException>());

    [Test]
    public void A_count_that_overflows_is_refused_before_allocation() =>
        Assert.That(() => Tensor.Zeros(ElementType.Float32, 1 << 20, 1 << 20), Throws.InstanceOf<ArgumentException>());

    [Test]
    public void Elements_must_lie_within_the_buffer()
    {
        using TensorBuffer buffer = TensorBuffer.Allocate(16);
        Assert.That(() => new Tensor(ElementType.Float32, [4], buffer, 4), Throws.ArgumentException);
    }

    [Test]
    public void A_disposed_buffer_gives_no_spans()
    {
        TensorBuffer buffer = TensorBuffer.Allocate(16);
        buffer.Dispose();
        Assert.That(() => buffer.Span<float>(0, 1).Length, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void A_part_shares_the_memory_of_the_whole_and_does_not_free_it()
    {
        using TensorBuffer whole = TensorBuffer.Allocate(128);
        TensorBuffer part = whole.Part(64, 64);
        part.Span<float>(0, 1)[0] = 3;
        part.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(whole.Span<float>(64, 1)[0], Is.EqualTo(3));
            Assert.That(() => part.Span<float>(0, 1).Length, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => whole.Part(64, 65), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    [Test]
    public void Large_buffers_begin_at_a_large_page_and_hold_what_is_written()
    {
        using TensorBuffer buffer = TensorBuffer.Allocate(HugePages.Length + 4);
        Span<int> values = buffer.Span<int>(0, (int)(buffer.Length / sizeof(int)));
        Assert.That(values.ContainsAnyExcept(0), Is.False);
        values[^1] = 7;
        unsafe
        {
            Assert.That((nuint)buffer.Pointer % HugePages.Length, Is.EqualTo((nuint)0));
        }

        Assert.That(values[^1], Is.EqualTo(7));
    }
}

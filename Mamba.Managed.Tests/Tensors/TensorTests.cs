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
            Assert.That(tensor.Floats.ToArray(), Is.All.Zero);
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
}

using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>Buffers of one test: made from numbers of the host, read back, and freed together.</summary>
internal sealed class DeviceData(GpuSession session) : IDisposable
{
    private readonly List<IDisposable> buffers = [];

    /// <summary>All of them.</summary>
    public IEnumerable<MemoryBuffer> Buffers => buffers.OfType<MemoryBuffer>();

    public static Random Random(int seed) => new(seed);

    /// <summary>Numbers in [low, high), rounded to bfloat16 where they are to be stored so.</summary>
    public static float[] Numbers(Random random, long count, float low, float high, NumberType type = NumberType.Float32)
    {
        float[] numbers = new float[count];
        for (long i = 0; i < count; i++)
        {
            float number = low + ((high - low) * random.NextSingle());
            numbers[i] = type == NumberType.Float32 ? number : Widen(Round(number));
        }

        return numbers;
    }

    public ArrayView<float> Vector(params float[] numbers)
    {
        if (numbers.Length == 0)
        {
            return ArrayView<float>.Empty;
        }

        MemoryBuffer1D<float, Stride1D.Dense> buffer = session.Accelerator.Allocate1D(numbers);
        buffers.Add(buffer);
        return buffer.View;
    }

    public SegmentList Segments(params Segment[] segments)
    {
        MemoryBuffer1D<Segment, Stride1D.Dense> buffer = session.Accelerator.Allocate1D(segments);
        buffers.Add(buffer);
        return new(buffer.View, segments.Max(segment => segment.Length));
    }

    public DeviceMatrix Matrix(float[] numbers, int rows, int pitch, NumberType type)
    {
        byte[] bytes = type == NumberType.Float32
            ? MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray()
            : MemoryMarshal.AsBytes(numbers.Select(Round).ToArray().AsSpan()).ToArray();
        MemoryBuffer1D<Float4, Stride1D.Dense> buffer = session.Accelerator.Allocate1D(MemoryMarshal.Cast<byte, Float4>(bytes).ToArray());
        buffers.Add(buffer);
        return new(buffer.View, rows, pitch, type);
    }

    public float[] Read(DeviceMatrix matrix)
    {
        session.Stream.Synchronize();
        Float4[] units = new Float4[matrix.Data.Length];
        matrix.Data.CopyToCPU(units);
        return matrix.Type == NumberType.Float32
            ? MemoryMarshal.Cast<Float4, float>(units).ToArray()
            : [.. MemoryMarshal.Cast<Float4, ushort>(units).ToArray().Select(Widen)];
    }

    public float[] Read(ArrayView<float> view)
    {
        session.Stream.Synchronize();
        float[] numbers = new float[view.Length];
        view.CopyToCPU(numbers);
        return numbers;
    }

    public void Write(ArrayView<float> view, float[] numbers)
    {
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = session.Accelerator.Allocate1D(numbers);
        buffer.View.BaseView.CopyTo(session.Stream, view);
        session.Stream.Synchronize();
    }

    public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());

    private static ushort Round(float number)
    {
        uint bits = BitConverter.SingleToUInt32Bits(number);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}

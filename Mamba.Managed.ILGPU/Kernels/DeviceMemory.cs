using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Memory that belongs together and is freed together: the weights of a model, the activations of a pass.</summary>
/// <param name="session">Where it lies.</param>
internal sealed class DeviceMemory(GpuSession session) : IDisposable
{
    private readonly List<MemoryBuffer> buffers = [];

    /// <summary>Bytes taken so far.</summary>
    public long ByteLength { get; private set; }

    /// <summary>Bytes of a matrix.</summary>
    public static long BytesOf(int rows, int columns, NumberType type) =>
        (long)rows * Padding.Up(columns, Padding.Columns) * (type == NumberType.Float32 ? sizeof(float) : sizeof(ushort));

    /// <summary>Takes zeroed memory for some numbers.</summary>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public ArrayView<T> Take<T>(long count)
        where T : unmanaged
    {
        if (count == 0)
        {
            return ArrayView<T>.Empty;
        }

        MemoryBuffer1D<T, Stride1D.Dense> buffer = session.Allocate<T>(count);
        buffers.Add(buffer);
        ByteLength += buffer.LengthInBytes;
        buffer.MemSetToZero(session.Stream);
        return buffer.View;
    }

    /// <summary>Takes a zeroed matrix.</summary>
    /// <param name="rows">A multiple of <see cref="Padding.Rows"/>.</param>
    /// <param name="columns">Filled up to a multiple of <see cref="Padding.Columns"/>.</param>
    /// <param name="type">What an entry is.</param>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public DeviceMatrix TakeMatrix(int rows, int columns, NumberType type) =>
        new(Take<Float4>(BytesOf(rows, columns, type) / 16), rows, Padding.Up(columns, Padding.Columns), type);

    /// <summary>Frees the memory; what was launched before has finished with it, since the caller synchronized.</summary>
    public void Dispose()
    {
        buffers.ForEach(session.Release);
        buffers.Clear();
        ByteLength = 0;
    }
}

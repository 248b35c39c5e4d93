using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Memory for what a pass computes between the layers; the layers use it in turn.</summary>
/// <param name="session">Where it lies.</param>
/// <param name="shape">The model's sizes.</param>
/// <param name="type">Of all but the residual stream.</param>
internal sealed class Activations(GpuSession session, ModelShape shape, NumberType type) : IDisposable
{
    private readonly DeviceMemory memory = new(session);
    private int capacity;
    private int pitch;
    private ArrayView<Float4> residual;
    private ArrayView<Float4> normalized;
    private ArrayView<Float4> gated;
    private ArrayView<Float4> channels;
    private ArrayView<Float4> projected;

    /// <summary>[features, tokens], float32: what the blocks add to.</summary>
    public DeviceMatrix Residual => Matrix(residual, shape.Features, NumberType.Float32);

    /// <summary>[features, tokens]: the residual stream after a norm.</summary>
    public DeviceMatrix Normalized => Matrix(normalized, shape.Features, type);

    /// <summary>[2 * channels, tokens]: the convolution's input, later delta; then the gate.</summary>
    public DeviceMatrix Gated => Matrix(gated, 2 * shape.Channels, type);

    /// <summary>[channels, tokens]: the scan's input, then its output.</summary>
    public DeviceMatrix Channels => Matrix(channels, shape.Channels, type);

    /// <summary>[rank + 2 * states, tokens]: dt, B, C.</summary>
    public DeviceMatrix Projected => Matrix(projected, shape.Projected, type);

    /// <summary>Makes room for a pass. Takes memory only where a pass is larger than all before.</summary>
    /// <param name="columns">Tokens from one row to the next, a multiple of <see cref="Padding.Columns"/>.</param>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public void Reserve(int columns)
    {
        pitch = columns;
        if (columns <= capacity)
        {
            return;
        }

        capacity = 0;
        memory.Dispose();
        residual = Take(shape.Features, columns, NumberType.Float32);
        normalized = Take(shape.Features, columns, type);
        gated = Take(2 * shape.Channels, columns, type);
        channels = Take(shape.Channels, columns, type);
        projected = Take(shape.Projected, columns, type);
        capacity = columns;
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();

    private ArrayView<Float4> Take(int rows, int columns, NumberType of) => memory.TakeMatrix(rows, columns, of).Data;

    private DeviceMatrix Matrix(ArrayView<Float4> data, int rows, NumberType of) =>
        new(data.SubView(0, DeviceMemory.BytesOf(rows, pitch, of) / Interop.SizeOf<Float4>()), rows, pitch, of);
}

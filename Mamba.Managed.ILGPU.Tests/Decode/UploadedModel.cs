using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>A <see cref="RandomModel"/> in device memory.</summary>
internal sealed class UploadedModel : IDisposable
{
    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly NumberType type;
    private readonly ModelShape shape;
    private ArrayView<Float4> free;

    /// <param name="session">Where it goes.</param>
    /// <param name="model">The weights.</param>
    /// <param name="type">How matrices are stored.</param>
    public UploadedModel(GpuSession session, RandomModel model, NumberType type = NumberType.Float32)
    {
        this.session = session;
        this.type = type;
        memory = new(session);
        shape = new(model.Config);

        // One piece of memory, so that a view of all of it reaches every array: emulation checks bounds.
        free = memory.Take<Float4>(model.Config.ParameterCount + (1 << 16));
        DeviceMatrix embedding = Matrix(shape.Vocabulary, shape.Features, (0, model.Embedding, model.Config.DModel));
        Weights = new(memory, shape)
        {
            Type = type,
            Embedding = embedding,
            Head = model.Config.TieEmbeddings ? embedding : Matrix(shape.Vocabulary, shape.Features, (0, model.Head, model.Config.DModel)),
            NormF = Vector(model.NormF, shape.Features),
            Layers = [.. model.Layers.Select(Upload)],
        };
        Pool = new(session, shape.StateLength);
    }

    public DeviceWeights Weights { get; }

    public StatePool Pool { get; }

    /// <summary>The state of a slot without its padding, in the canonical form.</summary>
    public double[] State(int slot)
    {
        float[] padded = new float[shape.StateLength];
        Pool[slot].CopyToCPU(session.Stream, padded);
        List<double> state = [];
        for (int layer = 0; layer < shape.Config.NLayer; layer++)
        {
            Take(shape.ConvOffset(layer), shape.Config.DConv, shape.Channels, shape.Config.DInner);
            Take(shape.ScanOffset(layer), shape.Config.DInner, shape.States, shape.Config.DState);
        }

        return [.. state];

        void Take(long start, int rows, int pitch, int columns)
        {
            for (int i = 0; i < rows; i++)
            {
                state.AddRange(padded.Skip((int)start + (i * pitch)).Take(columns).Select(x => (double)x));
            }
        }
    }

    public void Dispose()
    {
        session.Synchronize();
        Pool.Dispose();
        Weights.Dispose();
    }

    private LayerWeights Upload(RandomModel.Layer layer)
    {
        int inner = shape.Config.DInner;
        int rank = shape.Config.DtRank;
        int states = shape.Config.DState;
        return new()
        {
            Norm = Vector(layer.Norm, shape.Features),
            InProj = Matrix(2 * shape.Channels, shape.Features, (0, layer.InProj[..(layer.InProj.Length / 2)], shape.Config.DModel), (shape.Channels, layer.InProj[(layer.InProj.Length / 2)..], shape.Config.DModel)),
            InBias = layer.InBias.Length == 0 ? ArrayView<float>.Empty : Grid([.. layer.InBias], 2, inner, shape.Channels),
            ConvWeight = Grid(layer.ConvWeight, inner, shape.Config.DConv, shape.Config.DConv, shape.Channels),
            ConvBias = Vector(layer.ConvBias, shape.Channels),
            XProj = Matrix(
                shape.Projected,
                shape.Channels,
                (0, layer.XProj[..(rank * inner)], inner),
                (shape.Rank, layer.XProj[(rank * inner)..((rank + states) * inner)], inner),
                (shape.Rank + shape.States, layer.XProj[((rank + states) * inner)..], inner)),
            DtProj = Matrix(shape.Channels, shape.Rank, (0, layer.DtProj, rank)),
            DtBias = Vector(layer.DtBias, shape.Channels),
            A2 = Grid([.. layer.A.Select(a => (float)(a / Math.Log(2)))], inner, states, shape.States, shape.Channels),
            D = Vector(layer.D, shape.Channels),
            OutProj = Matrix(shape.Features, shape.Channels, (0, layer.OutProj, inner)),
            OutBias = Vector(layer.OutBias, shape.Features),
        };
    }

    private ArrayView<Float4> Take(int floats)
    {
        int units = (floats + 3) / 4;
        ArrayView<Float4> taken = free.SubView(0, units);
        free = free.SubView(units);
        return taken;
    }

    private ArrayView<float> Vector(float[] entries, int length) => entries.Length == 0 ? ArrayView<float>.Empty : Grid(entries, 1, entries.Length, length);

    private ArrayView<float> Grid(float[] entries, int rows, int columns, int pitch, int paddedRows = 0)
    {
        float[] padded = new float[Math.Max(rows, paddedRows) * pitch];
        for (int i = 0; i < rows; i++)
        {
            entries.AsSpan(i * columns, columns).CopyTo(padded.AsSpan(i * pitch));
        }

        ArrayView<float> view = Take(padded.Length).Cast<float>().SubView(0, padded.Length);
        view.CopyFromCPU(session.Stream, padded);
        return view;
    }

    private DeviceMatrix Matrix(int rows, int columns, params (int Start, float[] Entries, int Columns)[] parts)
    {
        int pitch = Padding.Up(columns, Padding.Columns);
        DeviceMatrix matrix = new(Take(rows * pitch / (type == NumberType.Float32 ? 1 : 2)), rows, pitch, type);
        float[] padded = new float[rows * matrix.Pitch];
        foreach ((int start, float[] entries, int width) in parts)
        {
            for (int i = 0; i < entries.Length / width; i++)
            {
                entries.AsSpan(i * width, width).CopyTo(padded.AsSpan((start + i) * matrix.Pitch));
            }
        }

        if (type == NumberType.Float32)
        {
            matrix.Floats.CopyFromCPU(session.Stream, padded);
        }
        else
        {
            ushort[] halves = Array.ConvertAll(padded, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16));
            matrix.Data.Cast<ushort>().CopyFromCPU(session.Stream, halves);
        }

        return matrix;
    }
}

using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Copies a model's weights to a device, filled up with zeros, some rows at a time, so that host memory stays small whatever their type.</summary>
internal sealed class WeightUpload : IDisposable
{
    private const int StagedBytes = 1 << 24;

    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly ModelShape shape;
    private readonly NumberType type;
    private readonly bool isRounded;
    private readonly HostStaging<float> staging;

    private WeightUpload(GpuSession session, DeviceMemory memory, ModelShape shape, bool isBFloat16)
    {
        (this.session, this.memory, this.shape) = (session, memory, shape);
        type = isBFloat16 && session.IsFast ? NumberType.BFloat16 : NumberType.Float32;
        isRounded = isBFloat16 && !session.IsFast;
        int widest = Padding.Up(Math.Max(shape.Channels, shape.Features), Padding.Columns);
        staging = new(session, Math.Max(widest, StagedBytes / sizeof(float)));
    }

    /// <summary>Copies a model.</summary>
    /// <param name="session">Where it goes.</param>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="isBFloat16">Whether matrices are rounded to bfloat16; they are stored so where kernels compute with it.</param>
    /// <exception cref="GpuException">The device has too little memory; what was taken is free again.</exception>
    public static DeviceWeights Run(GpuSession session, MambaLanguageModel model, bool isBFloat16)
    {
        DeviceMemory memory = new(session);
        try
        {
            using WeightUpload upload = new(session, memory, new(model.Config), isBFloat16);
            session.RequireFree(upload.ByteLength);
            return upload.Copy(model);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => staging.Dispose();

    // Of the matrices; the vectors beside them are few.
    private long ByteLength
    {
        get
        {
            long block = Bytes(2 * shape.Channels, shape.Features) + Bytes(shape.Projected, shape.Channels) + Bytes(shape.Channels, shape.Rank) + Bytes(shape.Features, shape.Channels);
            return (shape.Config.NLayer * block) + ((shape.Config.TieEmbeddings ? 1 : 2) * Bytes(shape.Vocabulary, shape.Features));

            long Bytes(int rows, int columns) => DeviceMemory.BytesOf(rows, columns, type);
        }
    }

    private DeviceWeights Copy(MambaLanguageModel model)
    {
        DeviceMatrix embedding = Matrix(model.Embeddings.Weight, shape.Vocabulary, shape.Features);
        DeviceWeights weights = new(memory, shape)
        {
            Type = type,
            Embedding = embedding,
            Head = model.Head is null ? embedding : Matrix(model.HeadWeight, shape.Vocabulary, shape.Features),
            NormF = Vector(model.NormF.Weight, shape.Features),
            Layers = [.. model.Layers.Select(Layer)],
        };
        session.Synchronize();
        return weights;
    }

    private LayerWeights Layer(ResidualBlock block)
    {
        SelectiveStateSpaceModel mixer = block.Mixer;
        int width = shape.Config.DConv, inner = shape.Config.DInner;
        return new()
        {
            Norm = Vector(block.Norm.Weight, shape.Features),
            InProj = Matrix(mixer.InProj.Weight, 2 * shape.Channels, shape.Features, new(0, inner, 0), new(inner, inner, shape.Channels)),
            InBias = InBias(mixer.InProj.Bias),
            ConvWeight = Vector(mixer.Conv1d.Weight, shape.Channels * width),
            ConvBias = Vector(mixer.Conv1d.Bias, shape.Channels),
            XProj = XProj(mixer.XProj.Weight),
            DtProj = Matrix(mixer.DtProj.Weight, shape.Channels, shape.Rank),
            DtBias = Vector(mixer.DtProj.Bias, shape.Channels, isThere: true),
            A2 = Decays(mixer.ALog),
            D = Vector(mixer.D, shape.Channels),
            OutProj = Matrix(mixer.OutProj.Weight, shape.Features, shape.Channels),
            OutBias = Vector(mixer.OutProj.Bias, shape.Features),
        };
    }

    private DeviceMatrix XProj(Tensor weight)
    {
        (int rank, int states) = (shape.Config.DtRank, shape.Config.DState);
        return Matrix(
            weight, shape.Projected, shape.Channels, new(0, rank, 0), new(rank, states, shape.Rank), new(rank + states, states, shape.Rank + shape.States));
    }

    private ArrayView<float> InBias(Tensor? bias)
    {
        if (bias is null)
        {
            return ArrayView<float>.Empty;
        }

        int inner = shape.Config.DInner;
        float[] values = bias.ToArray(), padded = new float[2 * shape.Channels];
        values.AsSpan(0, inner).CopyTo(padded);
        values.AsSpan(inner).CopyTo(padded.AsSpan(shape.Channels));
        return Send(padded);
    }

    // a2 = -exp(A_log) * log2(e); a state that only fills up has 0 and stays 0, since its B is 0.
    private ArrayView<float> Decays(Tensor aLog)
    {
        (int inner, int states) = (shape.Config.DInner, shape.Config.DState);
        float[] values = aLog.ToArray(), padded = new float[shape.Channels * shape.States];
        for (int channel = 0; channel < inner; channel++)
        {
            for (int n = 0; n < states; n++)
            {
                padded[(channel * shape.States) + n] = (float)(-Math.Exp(values[(channel * states) + n]) / Math.Log(2));
            }
        }

        return Send(padded);
    }

    /// <param name="tensor">Null for a vector that the model has not.</param>
    /// <param name="length">With what fills it up.</param>
    /// <param name="isThere">Whether zeros stand for a vector that the model has not.</param>
    private ArrayView<float> Vector(Tensor? tensor, int length, bool isThere = false)
    {
        if (tensor is null && !isThere)
        {
            return ArrayView<float>.Empty;
        }

        float[] padded = new float[length];
        tensor?.CopyTo(padded.AsSpan(0, tensor.Count));
        return Send(padded);
    }

    private ArrayView<float> Send(float[] values)
    {
        ArrayView<float> view = memory.Take<float>(values.Length);
        view.CopyFromCPU(session.Stream, values);
        return view;
    }

    private DeviceMatrix Matrix(Tensor tensor, int rows, int columns, params ReadOnlySpan<RowBlock> blocks)
    {
        DeviceMatrix matrix = memory.TakeMatrix(rows, columns, type);
        foreach (RowBlock block in blocks.IsEmpty ? [new(0, tensor.Shape[0], 0)] : blocks)
        {
            CopyRows(tensor, block, matrix);
        }

        return matrix;
    }

    private void CopyRows(Tensor tensor, RowBlock block, DeviceMatrix matrix)
    {
        int columns = tensor.Shape[1], most = (int)(staging.Span.Length * (long)sizeof(float) / matrix.RowBytes);
        float[] values = new float[columns * Math.Min(most, block.Count)];
        for (int row = 0; row < block.Count; row += most)
        {
            int count = Math.Min(most, block.Count - row);
            Span<float> part = values.AsSpan(0, count * columns);
            tensor.CopyTo((block.First + row) * columns, part);
            session.Synchronize();
            Stage(part, columns, matrix);
            long perRow = matrix.RowBytes / sizeof(float);
            staging.Send(matrix.Data.Cast<float>().SubView((block.Target + row) * perRow, count * perRow));
        }
    }

    private void Stage(ReadOnlySpan<float> values, int columns, DeviceMatrix matrix)
    {
        int rows = values.Length / columns;
        Span<float> floats = staging.Span[..(int)(rows * matrix.RowBytes / sizeof(float))];
        Span<ushort> halves = MemoryMarshal.Cast<float, ushort>(floats);
        floats.Clear();
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> source = values.Slice(row * columns, columns);
            if (type == NumberType.BFloat16)
            {
                Round(source, halves.Slice(row * matrix.Pitch, columns));
            }
            else
            {
                Span<float> target = floats.Slice(row * matrix.Pitch, columns);
                source.CopyTo(target);
                RoundInPlace(isRounded ? target : []);
            }
        }
    }

    private static void Round(ReadOnlySpan<float> source, Span<ushort> target)
    {
        for (int i = 0; i < source.Length; i++)
        {
            target[i] = (ushort)BFloat16.Round(source[i]);
        }
    }

    private static void RoundInPlace(Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = BitConverter.UInt32BitsToSingle(BFloat16.Round(value) << 16);
        }
    }

    /// <summary>Some rows of a tensor, and where they go.</summary>
    private readonly record struct RowBlock(int First, int Count, int Target);
}

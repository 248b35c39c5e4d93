using ILGPU;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Rows of logits on their way to the caller: in device memory, then in locked memory of the host.</summary>
/// <param name="session">The device.</param>
/// <param name="shape">The model's sizes.</param>
internal sealed class LogitBuffer(GpuSession session, ModelShape shape) : IDisposable
{
    /// <summary>The most rows at a time: enough for full speed, of little memory even with large vocabularies.</summary>
    public const int MostRows = 256;

    /// <summary>Numbers from which on several threads copy: one takes longer than the device does for a step of many sequences.</summary>
    private const int Many = 1 << 18;

    private readonly DeviceMemory memory = new(session);
    private HostStaging<float>? staging;
    private ArrayView<float> values;

    /// <summary>Rows for which there is room.</summary>
    public int Capacity { get; private set; }

    /// <summary>Makes room.</summary>
    /// <param name="rows">At most <see cref="MostRows"/>.</param>
    public void Reserve(int rows)
    {
        rows = Padding.Up(rows, Padding.Rows);
        if (rows <= Capacity)
        {
            return;
        }

        Release();
        values = memory.Take<float>((long)rows * shape.LogitPitch);
        staging = new(session, (long)rows * shape.LogitPitch);
        Capacity = rows;
    }

    /// <summary>[rows, <see cref="ModelShape.LogitPitch"/>]: where the device writes.</summary>
    public ArrayView<float> Rows(int rows) => values.SubView(0, (long)rows * shape.LogitPitch);

    /// <summary>The same as a matrix, whose rows are filled up to a multiple of <see cref="Padding.Rows"/>.</summary>
    public DeviceMatrix Matrix(int rows)
    {
        int padded = Padding.Up(rows, Padding.Rows);
        return new(Rows(padded).Cast<Float4>(), padded, shape.LogitPitch, NumberType.Float32);
    }

    /// <summary>Waits for the device and gives the caller its rows.</summary>
    /// <param name="count">How many the device has written.</param>
    /// <param name="logits">[rows, vocab_size], and more behind them.</param>
    /// <returns>What follows them in <paramref name="logits"/>.</returns>
    public Span<float> Deliver(int count, Span<float> logits)
    {
        Fetch(count);
        return CopyRows([.. Enumerable.Range(0, count)], logits);
    }

    /// <summary>Waits for the device and gives the caller the rows of the sequences of which logits are wanted.</summary>
    /// <param name="inputs">A sequence for each row that the device has written.</param>
    /// <param name="logits">[wanted rows, vocab_size], and more behind them.</param>
    /// <returns>What follows them in <paramref name="logits"/>.</returns>
    public Span<float> Deliver(ReadOnlySpan<SequenceInput> inputs, Span<float> logits)
    {
        Fetch(inputs.Length);
        List<int> wanted = new(inputs.Length);
        for (int row = 0; row < inputs.Length; row++)
        {
            if (inputs[row].LogitCount > 0)
            {
                wanted.Add(row);
            }
        }

        return CopyRows([.. wanted], logits);
    }

    private void Fetch(int count)
    {
        staging!.Fetch(Rows(count));
        session.Synchronize();
    }

    private unsafe Span<float> CopyRows(int[] rows, Span<float> logits)
    {
        int vocabulary = shape.Config.VocabSize, pitch = shape.LogitPitch, count = rows.Length * vocabulary;
        fixed (float* first = staging!.Span, target = logits[..count])
        {
            float* from = first, to = target;
            ParallelOptions threads = new() { MaxDegreeOfParallelism = count < Many ? 1 : -1 };
            Parallel.For(0, rows.Length, threads, i => new ReadOnlySpan<float>(from + (rows[i] * pitch), vocabulary).CopyTo(new(to + (i * vocabulary), vocabulary)));
        }

        return logits[count..];
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    private void Release()
    {
        Capacity = 0;
        values = ArrayView<float>.Empty;
        memory.Dispose();
        staging?.Dispose();
        staging = null;
    }
}

using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>Steps recorded once for each number of sequences and launched as a whole: a launch then costs the device about a third.</summary>
/// <remarks>From Hopper on, launches overlap: while a kernel ends, the groups of the next one already read what it did not write (see <see cref="Overlap"/>).</remarks>
/// <param name="session">An NVIDIA GPU.</param>
/// <param name="step">What is recorded; it reads tokens and slots from memory, so that a record serves for others too.</param>
internal sealed class StepGraphs(GpuSession session, BatchStep step) : IDisposable
{
    private const int MostGraphs = 32;

    private readonly Dictionary<Key, nint> graphs = [];
    private readonly CudaStream stream = (CudaStream)session.Stream;
    private readonly bool overlaps = session.Accelerator is CudaAccelerator { Architecture.Major: >= 9 } && CudaDriver.CanOverlap;

    /// <summary>Moves the states on by one token each.</summary>
    /// <param name="count">How many sequences, those included that are not there and have slot -1.</param>
    /// <param name="pool">The states.</param>
    /// <param name="logits">[sequences, pitch], or empty: none are wanted then.</param>
    /// <exception cref="GpuException">The driver refused.</exception>
    public void Run(int count, ArrayView<float> pool, ArrayView<float> logits)
    {
        Key key = new(count, Address(pool), Address(logits));
        session.Accelerator.Bind();
        if (!graphs.TryGetValue(key, out nint graph))
        {
            // The pool moves when it grows, and graphs of its old place are of no use.
            if (graphs.Count >= MostGraphs || graphs.Keys.Any(other => other.Pool != key.Pool))
            {
                Clear();
            }

            graphs[key] = graph = Record(count, pool, logits);
        }

        CudaDriver.Launch(graph, stream.StreamPtr);
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();

    private nint Record(int count, ArrayView<float> pool, ArrayView<float> logits)
    {
        // Loading a kernel cannot be recorded.
        step.Prepare(count);
        CudaDriver.BeginCapture(stream.StreamPtr);
        try
        {
            step.Run(count, pool, logits);
        }
        catch
        {
            CudaDriver.AbandonCapture(stream.StreamPtr);
            throw;
        }

        return CudaDriver.EndCapture(stream.StreamPtr, overlaps);
    }

    private void Clear()
    {
        session.Synchronize();
        session.Accelerator.Bind();
        foreach (nint graph in graphs.Values)
        {
            CudaDriver.Destroy(graph);
        }

        graphs.Clear();
    }

    private static nint Address(ArrayView<float> view) => view.Length == 0 ? 0 : view.LoadEffectiveAddressAsPtr();

    private readonly record struct Key(int Count, nint Pool, nint Logits);
}

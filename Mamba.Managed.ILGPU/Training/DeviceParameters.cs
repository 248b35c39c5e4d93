using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>All parameters of a model in device memory, or their gradients, moments or averages, and their copies in the host's memory.</summary>
internal sealed class DeviceParameters
{
    // 16 MB, and more than the longest row.
    private const int StagedLength = 1 << 22;

    private readonly GpuSession session;
    private readonly ParameterLayout layout;
    private readonly Dictionary<string, Tensor> host;

    /// <summary>Takes zeroed memory.</summary>
    /// <param name="session">Where it lies.</param>
    /// <param name="memory">What the memory is freed with.</param>
    /// <param name="layout">Where each parameter lies.</param>
    /// <param name="tree">The host's copies; owned by the caller.</param>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public DeviceParameters(GpuSession session, DeviceMemory memory, ParameterLayout layout, MambaLanguageModel tree)
        : this(session, layout, new ParameterViews(memory.Take<float>(layout.Length), layout), tree)
    {
    }

    /// <summary>Pairs what lies in device memory with copies for it.</summary>
    public DeviceParameters(GpuSession session, ParameterLayout layout, ParameterViews views, MambaLanguageModel tree)
    {
        (this.session, this.layout, Views, Tree) = (session, layout, views, tree);
        host = tree.Parameters().ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>In device memory.</summary>
    public ParameterViews Views { get; }

    /// <summary>In the host's memory.</summary>
    public MambaLanguageModel Tree { get; }

    /// <summary>Copies from the host to the device.</summary>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Upload()
    {
        using HostStaging<float> staging = new(session, StagedLength);
        foreach (ParameterPlace place in layout.Places)
        {
            float[] values = host[place.Path].ToArray();
            foreach (RowRun run in Parts(place))
            {
                Span<float> packed = staging.Span[..(run.Count * place.Pitch)];
                packed.Clear();
                for (int row = 0; row < run.Count; row++)
                {
                    values.AsSpan((run.From + row) * place.Columns, place.Columns).CopyTo(packed[(row * place.Pitch)..]);
                }

                staging.Send(On(place, run));
                session.Synchronize();
            }
        }
    }

    /// <summary>Copies from the device to the host.</summary>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Download()
    {
        using HostStaging<float> staging = new(session, StagedLength);
        foreach (ParameterPlace place in layout.Places)
        {
            float[] values = new float[place.Count];
            foreach (RowRun run in Parts(place))
            {
                staging.Fetch(On(place, run));
                session.Synchronize();
                for (int row = 0; row < run.Count; row++)
                {
                    staging.Span.Slice(row * place.Pitch, place.Columns).CopyTo(values.AsSpan((run.From + row) * place.Columns));
                }
            }

            host[place.Path].CopyFrom(values);
        }
    }

    // Runs that fit the staging memory.
    private static IEnumerable<RowRun> Parts(ParameterPlace place)
    {
        int most = StagedLength / place.Pitch;
        foreach (RowRun run in place.Runs)
        {
            for (int row = 0; row < run.Count; row += most)
            {
                yield return new(run.From + row, Math.Min(most, run.Count - row), run.To + row);
            }
        }
    }

    private ArrayView<float> On(ParameterPlace place, RowRun run) =>
        Views.All.SubView(place.Start + ((long)run.To * place.Pitch), (long)run.Count * place.Pitch);
}

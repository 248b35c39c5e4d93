using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>States of the host that a pass reads and then replaces, all of them or none.</summary>
/// <param name="shape">How a state lies in device memory.</param>
/// <param name="states">One for each sequence.</param>
internal sealed class HostStates(ModelShape shape, IReadOnlyList<CpuState> states)
{
    private readonly (float[] Values, long Position)[] before = [.. states.Select(Export)];

    /// <summary>Writes the states to their slots.</summary>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Upload(GpuSession session, ArrayView<float> slots)
    {
        float[] packed = new float[checked(states.Count * shape.StateLength)];
        for (int i = 0; i < states.Count; i++)
        {
            Copy(before[i].Values, packed.AsSpan(checked((int)(i * shape.StateLength)), (int)shape.StateLength), pack: true);
        }

        slots.CopyFromCPU(session.Stream, packed);
    }

    /// <summary>Reads the slots; the host's states are not changed yet.</summary>
    /// <exception cref="GpuException">The device has failed.</exception>
    public float[][] Download(GpuSession session, ArrayView<float> slots)
    {
        float[] packed = new float[slots.Length];
        slots.CopyToCPU(session.Stream, packed);
        session.Synchronize();
        float[][] after = [.. before.Select(state => new float[state.Values.Length])];
        for (int i = 0; i < states.Count; i++)
        {
            Copy(after[i], packed.AsSpan(checked((int)(i * shape.StateLength)), (int)shape.StateLength), pack: false);
        }

        return after;
    }

    /// <summary>Replaces the host's states; if one cannot be, those before it are restored.</summary>
    /// <param name="after">What <see cref="Download"/> gave.</param>
    /// <param name="tokens">By how much each position grows.</param>
    /// <exception cref="ObjectDisposedException">A state has been disposed; nothing was changed.</exception>
    public void Replace(float[][] after, ReadOnlySpan<int> tokens)
    {
        int done = 0;
        try
        {
            for (; done < states.Count; done++)
            {
                states[done].Import(after[done], before[done].Position + (tokens.IsEmpty ? 0 : tokens[done]));
            }
        }
        catch
        {
            Restore(done);
            throw;
        }
    }

    /// <summary>Gives the first few states back what they were before.</summary>
    public void Restore(int count)
    {
        for (int i = 0; i < count; i++)
        {
            states[i].Import(before[i].Values, before[i].Position);
        }
    }

    private static (float[] Values, long Position) Export(CpuState state)
    {
        float[] values = new float[checked((int)state.Layout.Length(state.Position))];
        state.Export(values);
        return (values, state.Position);
    }

    // Row by row between the canonical form and that of the device, which fills up channels and states.
    private void Copy(Span<float> canonical, Span<float> packed, bool pack)
    {
        MambaConfig config = shape.Config;
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            int window = (int)shape.ConvOffset(layer), scan = (int)shape.ScanOffset(layer);
            for (int j = 0; j < config.DConv; j++)
            {
                Move(ref canonical, packed[(window + (j * shape.Channels))..], config.DInner, pack);
            }

            for (int channel = 0; channel < config.DInner; channel++)
            {
                Move(ref canonical, packed[(scan + (channel * shape.States))..], config.DState, pack);
            }
        }
    }

    private static void Move(ref Span<float> canonical, Span<float> packed, int count, bool pack)
    {
        Span<float> from = pack ? canonical : packed, to = pack ? packed : canonical;
        from[..count].CopyTo(to);
        canonical = canonical[count..];
    }
}

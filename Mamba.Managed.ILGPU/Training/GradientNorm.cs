using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The norm over all gradients; in double precision and a fixed order.</summary>
internal sealed class GradientNorm
{
    private readonly GpuSession session;
    private readonly List<ParameterPlace> owners = [];
    private readonly ArrayView<long> starts;
    private readonly ArrayView<double> sums;
    private readonly double[] found;

    /// <summary>Cuts the parameters into blocks, none of which has entries of two.</summary>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public GradientNorm(GpuSession session, DeviceMemory memory, ParameterLayout layout)
    {
        this.session = session;
        List<long> firsts = [];
        foreach (ParameterPlace place in layout.Places)
        {
            for (long start = 0; start < place.Length; start += SumOfSquares.BlockLength)
            {
                firsts.Add(place.Start + start);
                owners.Add(place);
            }
        }

        // A block goes on to the next one's first entry: what fills up between parameters is zero.
        starts = memory.Take<long>(firsts.Count + 1);
        starts.CopyFromCPU(session.Stream, [.. firsts, layout.Length]);
        sums = memory.Take<double>(firsts.Count);
        found = new double[firsts.Count];
    }

    /// <summary>Measures gradients.</summary>
    /// <exception cref="NonFiniteException">A gradient is not finite; it names the parameter.</exception>
    /// <exception cref="GpuException">The device has failed.</exception>
    public double Measure(ArrayView<float> gradients)
    {
        SumOfSquares.Run(session, gradients, starts, sums);
        sums.CopyToCPU(session.Stream, found);
        session.Synchronize();
        double total = 0;
        for (int block = 0; block < found.Length; block++)
        {
            total += double.IsFinite(found[block]) ? found[block] : throw NonFiniteException.Of("the gradient of " + owners[block].Path);
        }

        return Math.Sqrt(total);
    }
}

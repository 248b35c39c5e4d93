using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>A kernel of explicit groups, compiled for NVIDIA's GPUs and carried out on the host.</summary>
internal static class PtxKernel
{
    /// <summary>The kernel's text, taken apart.</summary>
    public static PtxProgram Compile(MethodInfo kernel, int threads)
    {
        using Context context = DeviceList.CreateContext(_ => { });
        using PTXBackend backend = new(context, CudaArchitecture.SM_80, CudaInstructionSet.ISA_78, null!);
        return new(KernelCompiler.Text(backend, EntryPointDescription.FromExplicitlyGroupedKernel(kernel), new(kernel, threads, 1)).Text);
    }

    /// <summary>Carries out a program.</summary>
    /// <param name="program">The kernel.</param>
    /// <param name="config">Groups and threads.</param>
    /// <param name="arguments">Its structure of arguments; views are of buffers in the host's memory.</param>
    /// <param name="copiesAtOnce">When asynchronous copies take place: see <see cref="PtxMachine"/>.</param>
    /// <param name="buffers">All global memory that the kernel may use.</param>
    public static void Run(PtxProgram program, KernelConfig config, object arguments, bool copiesAtOnce, IEnumerable<MemoryBuffer> buffers)
    {
        PtxMachine machine = new(program, Layout(arguments), copiesAtOnce);
        foreach (MemoryBuffer buffer in buffers)
        {
            machine.Add(buffer);
        }

        machine.Run(config);
    }

    /// <summary>A structure as kernels see it: a view is an address and a length.</summary>
    private static byte[] Layout(object arguments)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        foreach (FieldInfo field in arguments.GetType().GetFields())
        {
            switch (field.GetValue(arguments))
            {
                case int number:
                    writer.Write(number);
                    break;
                case long number:
                    Align(writer);
                    writer.Write(number);
                    break;
                case ArrayView<float> view:
                    Align(writer);
                    writer.Write((long)view.LoadEffectiveAddressAsPtr());
                    writer.Write(view.Length);
                    break;
                default:
                    throw new NotSupportedException($"{field.FieldType} in {arguments.GetType()}");
            }
        }

        Align(writer);
        return stream.ToArray();
    }

    private static void Align(BinaryWriter writer)
    {
        while (writer.BaseStream.Position % sizeof(long) != 0)
        {
            writer.Write((byte)0);
        }
    }
}

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Turns methods into kernels of one accelerator, on any number of threads at once.</summary>
/// <remarks>
/// ILGPU takes 50 to 700 ms for a kernel, one after the other. Its text for NVIDIA's driver is therefore kept on disk, and compiled on several threads
/// by contexts of their own, which share nothing.
/// </remarks>
internal sealed class KernelCompiler(Accelerator accelerator, KernelCache cache) : IDisposable
{
    // A stack and not a bag: forgotten states free their device after finalizers have run, and a bag has one.
    private readonly ConcurrentStack<(Context Context, PTXBackend Backend)> idle = [];

    /// <summary>A kernel whose launches give groups and threads.</summary>
    public Kernel Grouped(in KernelKey key)
    {
        EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(key.Method);
        return accelerator.LoadKernel(Compile(entry, key));
    }

    /// <summary>A kernel whose launches give a number of work items.</summary>
    public Kernel Plain(in KernelKey key)
    {
        EntryPointDescription entry = EntryPointDescription.FromImplicitlyGroupedKernel(key.Method);
        return accelerator.LoadAutoGroupedKernel(Compile(entry, key));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (idle.TryPop(out (Context Context, PTXBackend Backend) compiler))
        {
            compiler.Backend.Dispose();
            compiler.Context.Dispose();
        }
    }

    /// <summary>The compiled text for a target, whether such a device is there or not.</summary>
    public static CachedKernel Text(PTXBackend backend, in EntryPointDescription entry, in KernelKey key)
    {
        PTXCompiledKernel kernel = (PTXCompiledKernel)backend.Compile(entry, key.Specialization);
        SharedMemorySpecification shared = EntryPointOf(kernel).SharedMemory;
        return new(OverlapText.For(kernel.PTXAssembly, backend.Architecture), shared.StaticSize, shared.HasDynamicMemory);
    }

    private CompiledKernel Compile(in EntryPointDescription entry, in KernelKey key)
    {
        if (accelerator is not CudaAccelerator cuda)
        {
            return accelerator.CompileKernel(entry, key.Specialization);
        }

        string description = key.Describe(cuda.Architecture, cuda.InstructionSet);
        CachedKernel? kernel = cache.Read(description);
        if (kernel is null)
        {
            kernel = Text(cuda, entry, key);
            cache.Write(description, kernel);
        }

        EntryPoint point = new(entry, new SharedMemorySpecification(kernel.SharedBytes, kernel.IsSharedDynamic), key.Specialization);
        return NewKernel(cuda.Context, point, null!, kernel.Text);
    }

    private CachedKernel Text(CudaAccelerator cuda, in EntryPointDescription entry, in KernelKey key)
    {
        if (!idle.TryPop(out (Context Context, PTXBackend Backend) compiler))
        {
            compiler.Context = DeviceList.CreateContext(_ => { });
            compiler.Backend = new(compiler.Context, cuda.Architecture, cuda.InstructionSet, null!);
        }

        CachedKernel kernel = Text(compiler.Backend, entry, key);
        idle.Push(compiler);
        return kernel;
    }

    // ILGPU keeps both to itself, since it compiles and loads in one go.
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern PTXCompiledKernel NewKernel(Context context, EntryPoint entryPoint, CompiledKernel.KernelInfo info, string text);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_EntryPoint")]
    private static extern EntryPoint EntryPointOf(CompiledKernel kernel);
}

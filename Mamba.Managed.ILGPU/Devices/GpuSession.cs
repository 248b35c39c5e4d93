using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>One device in use: its accelerator, one stream on which everything runs in order, and the kernels compiled for it so far.</summary>
/// <remarks>Launches and copies come from one thread at a time; kernels may be asked for from several.</remarks>
internal sealed class GpuSession : IDisposable
{
    private readonly ConcurrentDictionary<MethodInfo, Lazy<LoadedKernel>> kernels = new();
    private readonly KernelCompiler compiler;
    private readonly Context context;
    private long taken;
    private GpuException? failure;
    private bool isRehearsal;

    /// <summary>Takes over a context with one accelerator.</summary>
    /// <param name="context">What the accelerator was made of.</param>
    /// <param name="accelerator">The device.</param>
    /// <param name="cacheFolder">Where compiled kernels are kept from one process to the next; null for nowhere.</param>
    /// <param name="memoryLimit">The most bytes to take of the device's memory; 0 for all.</param>
    public GpuSession(Context context, Accelerator accelerator, string? cacheFolder = null, long memoryLimit = 0)
    {
        this.context = context;
        Accelerator = accelerator;
        Stream = accelerator.CreateStream();
        compiler = new(accelerator, new(cacheFolder));
        MemoryLimit = memoryLimit;
    }

    public Accelerator Accelerator { get; }

    public AcceleratorStream Stream { get; }

    /// <summary>Taken by whoever uses the device: a pass, or a copy of a state.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The most bytes to take of the device's memory; 0 for all.</summary>
    public long MemoryLimit { get; }

    /// <summary>Whether kernels with matrix instructions and asynchronous copies run here: an NVIDIA GPU of the Ampere generation or later.</summary>
    public bool IsFast => Accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    /// <summary>A kernel of explicit groups.</summary>
    /// <param name="kernel">Takes one structure of arguments, since launches take few.</param>
    /// <param name="threads">Threads of a group; with <paramref name="groups"/> it bounds the registers.</param>
    /// <param name="groups">Groups that share a multiprocessor.</param>
    public Action<KernelConfig, TArguments> Grouped<TArguments>(Action<TArguments> kernel, int threads, int groups = 1)
        where TArguments : struct
    {
        Lazy<LoadedKernel> found = kernels.TryGetValue(kernel.Method, out Lazy<LoadedKernel>? loaded) ? loaded : AddGrouped(kernel, threads, groups);
        return isRehearsal ? static (_, _) => { } : (Action<KernelConfig, TArguments>)found.Value.Launch;
    }

    /// <summary>A kernel of independent work items: the plain form of every kernel, which runs on all devices.</summary>
    public Action<int, TArguments> Plain<TArguments>(Action<Index1D, TArguments> kernel)
        where TArguments : struct
    {
        Lazy<LoadedKernel> found = kernels.TryGetValue(kernel.Method, out Lazy<LoadedKernel>? loaded) ? loaded : AddPlain(kernel);
        return isRehearsal ? static (_, _) => { } : (Action<int, TArguments>)found.Value.Launch;
    }

    /// <summary>A kernel of explicit groups as the driver knows it, for launches that ILGPU has not.</summary>
    public Kernel KernelOf<TArguments>(Action<TArguments> kernel, int threads, int groups = 1)
        where TArguments : struct
    {
        _ = Grouped(kernel, threads, groups);
        return kernels[kernel.Method].Value.Kernel;
    }

    /// <summary>Goes through some work without doing it, and begins to compile the kernels that it asks for, several at once.</summary>
    /// <param name="work">What it does beside launching kernels is done.</param>
    /// <returns>Ends when they are compiled. One that does not compile is tried again, and its failure thrown, when it is needed.</returns>
    public Task Rehearse(Action work)
    {
        isRehearsal = true;
        try
        {
            work();
        }
        finally
        {
            isRehearsal = false;
        }

        return Task.Run(() => Parallel.ForEach(kernels, Load));
    }

    /// <summary>Takes memory that holds anything.</summary>
    /// <exception cref="GpuException">The device has too little memory; the message says how much is needed and free.</exception>
    public MemoryBuffer1D<T, Stride1D.Dense> Allocate<T>(long count)
        where T : unmanaged
    {
        long bytes = checked(count * Interop.SizeOf<T>());
        RequireFree(bytes);
        try
        {
            MemoryBuffer1D<T, Stride1D.Dense> buffer = Accelerator.Allocate1D<T>(count);
            taken += bytes;
            return buffer;
        }
        catch (Exception error) when (IsOutOfMemory(error))
        {
            throw OutOfMemory(bytes, error);
        }
        catch (AcceleratorException error)
        {
            throw Failed(error);
        }
    }

    /// <summary>Sets numbers to zero.</summary>
    public void Clear(ArrayView<float> view)
    {
        // For OpenCL, ILGPU 1.5.3 multiplies the place of a part of a buffer by the size of its numbers twice.
        if (Accelerator is CLAccelerator)
        {
            Plain<ArrayView<float>>(ClearKernel)(checked((int)view.Length), view);
        }
        else
        {
            view.MemSetToZero(Stream);
        }
    }

    /// <summary>Frees memory that <see cref="Allocate"/> gave.</summary>
    public void Release(MemoryBuffer buffer)
    {
        taken -= buffer.LengthInBytes;
        Free(buffer);
    }

    /// <summary>Frees what belongs to the device. One that has failed refuses; its driver does it when the process ends.</summary>
    public void Free(IDisposable resource)
    {
        try
        {
            resource.Dispose();
        }
        catch (AcceleratorException) when (failure is not null)
        {
            // Nothing is left to do.
        }
    }

    /// <summary>Waits until everything launched so far is done.</summary>
    /// <exception cref="GpuException">The device has failed.</exception>
    public void Synchronize()
    {
        try
        {
            Stream.Synchronize();
        }
        catch (AcceleratorException error)
        {
            throw Failed(error);
        }
    }

    /// <summary>Does something with the device, whose failure is noted and translated.</summary>
    /// <exception cref="GpuException">The device has failed, or has too little memory.</exception>
    public T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (AcceleratorException error)
        {
            throw Failed(error);
        }
    }

    /// <inheritdoc cref="Guarded{T}"/>
    public void Guarded(Action work) => Guarded(() =>
    {
        work();
        return true;
    });

    /// <summary>Throws unless some memory is free.</summary>
    /// <exception cref="GpuException">The device has too little memory; the message says how much is needed and free.</exception>
    public void RequireFree(long bytes)
    {
        if (bytes > FreeBytes)
        {
            throw OutOfMemory(bytes);
        }
    }

    /// <summary>Notes that the device has failed, and returns what to throw. What lay in its memory is lost.</summary>
    public GpuException Failed(AcceleratorException error) => failure ??= new(
        $"expected {Accelerator.Name} to work, found that it failed: {error.Message}; its memory is lost, so make a new executor and restore saved states into it", error);

    /// <summary>Throws once the device has failed.</summary>
    public void RequireWorking()
    {
        if (failure is not null)
        {
            throw new GpuException(failure.Message, failure);
        }
    }

    public void Dispose()
    {
        compiler.Dispose();
        Free(Stream);
        Free(Accelerator);
        Free(context);
    }

    private long FreeBytes
    {
        get
        {
            long free = Accelerator is CudaAccelerator cuda ? cuda.GetFreeMemory() : Accelerator.MemorySize - taken;
            return MemoryLimit == 0 ? free : Math.Min(free, MemoryLimit - taken);
        }
    }

    private void Load(KeyValuePair<MethodInfo, Lazy<LoadedKernel>> kernel)
    {
        try
        {
            _ = kernel.Value.Value;
        }
#pragma warning disable CA1031 // Whatever it is, it happens again where the kernel is needed.
        catch (Exception)
#pragma warning restore CA1031
        {
            kernels.TryRemove(kernel);
        }
    }

    private Lazy<LoadedKernel> AddGrouped<TArguments>(Action<TArguments> kernel, int threads, int groups)
        where TArguments : struct => kernels.GetOrAdd(kernel.Method, method => new(() =>
        {
            Kernel loaded = compiler.Grouped(new(method, threads, groups));
            var launch = loaded.CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TArguments>>();
            return new(loaded, (Action<KernelConfig, TArguments>)((config, arguments) => launch(Stream, config, arguments)));
        }));

    private Lazy<LoadedKernel> AddPlain<TArguments>(Action<Index1D, TArguments> kernel)
        where TArguments : struct => kernels.GetOrAdd(kernel.Method, method => new(() =>
        {
            Kernel loaded = compiler.Plain(new(method, null, null));
            var launch = loaded.CreateLauncherDelegate<Action<AcceleratorStream, Index1D, TArguments>>();
            return new(loaded, (Action<int, TArguments>)((count, arguments) => launch(Stream, count, arguments)));
        }));

    internal static void ClearKernel(Index1D i, ArrayView<float> view) => view[i] = 0;

    private GpuException OutOfMemory(long bytes, Exception? cause = null)
    {
        string limit = MemoryLimit == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" within the limit of {Megabytes(MemoryLimit)}");
        string message = $"expected {Megabytes(bytes)} of memory on {Accelerator.Name}, found {Megabytes(Math.Max(FreeBytes, 0))} free{limit}; use smaller weights, fewer sequences or fewer rows in a pass";
        return cause is null ? new(message) : new(message, cause);
    }

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):F1} MiB");

    private static bool IsOutOfMemory(Exception error) => error switch
    {
        OutOfMemoryException => true,
        CudaException cuda => cuda.Error.Contains("OUT_OF_MEMORY", StringComparison.OrdinalIgnoreCase),
        CLException opencl => opencl.Error is CLError.CL_MEM_OBJECT_ALLOCATION_FAILURE or CLError.CL_INVALID_BUFFER_SIZE or CLError.CL_OUT_OF_RESOURCES or CLError.CL_OUT_OF_HOST_MEMORY,
        _ => false,
    };

    private sealed record LoadedKernel(Kernel Kernel, Delegate Launch);
}

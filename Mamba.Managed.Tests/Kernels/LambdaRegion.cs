using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>A region that is one function.</summary>
internal sealed class LambdaRegion(Action<Worker> execute) : IRegion
{
    public void Execute(Worker worker) => execute(worker);
}
